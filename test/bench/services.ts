// The services for a daemon: a Kinesis at memory speed or an emulated one, and a DynamoDB.

import { createServer } from "node:net";
import { join } from "node:path";
import { startDynamo, startKinesis } from "../../src/local/services.ts";
import type { Scope } from "../../src/sample/scope.ts";
import { BIN, RUNS, uniqueName } from "./paths.ts";
import { Program, runToEnd } from "./processes.ts";
import { DYNAMODB_LOCAL, mavenLibrary } from "./tools.ts";
import { waitFor } from "./wait.ts";

export interface FakeStream {
  readonly shards: number;
  readonly recordsPerShard: number;
  /** The size of a payload. */
  readonly bytes: number;
  /** The number of KPL user records in each record; 0 means plain records. */
  readonly aggregate?: number;
  /** TLS, as the service requires for subscriptions. */
  readonly tls?: boolean;
  /**
   * The rate, in records per second, at which each shard is written once it is first read.
   * `recordsPerShard` then has no effect.
   */
  readonly perSecond?: number;
  /** For such a shard: the seconds of writes that it already has. */
  readonly backlogSeconds?: number;
  /** The service's limits per second and shard. */
  readonly limited?: boolean;
}

/** The GetRecords calls of all shards so far, and how many were throttled. */
export interface CallCounts {
  readonly calls: number;
  readonly refused: number;
}

export interface FakeKinesis {
  readonly url: string;
  readonly pid: number;
  /** Makes a daemon trust its certificate. */
  readonly env: Readonly<Record<string, string>>;
  counts(): Promise<CallCounts>;
  stop(): Promise<void>;
}

/** It protects no secret, but keytool requires one. */
const STORE_PASSWORD = "changeit";
const START_LIMIT_MS = 120_000;
const STOP_PATIENCE_MS = 2_000;

/** @param forJava whether to create a Java store of certificates too. */
export async function startFakeKinesis(
  {
    shards,
    recordsPerShard,
    bytes,
    aggregate = 0,
    tls = false,
    perSecond = 0,
    backlogSeconds = 0,
    limited = false,
  }: FakeStream,
  forJava = false,
): Promise<FakeKinesis> {
  const certificate = join(RUNS, `${uniqueName()}.pem`);
  const values = {
    shards,
    records: recordsPerShard,
    size: bytes,
    aggregate,
    rate: perSecond,
    backlog: backlogSeconds,
    limits: limited,
    ...(tls && { tls: certificate }),
  };
  const args = Object.entries(values).map(([name, value]) => `-${name}=${value}`);
  const program = new Program([join(BIN, "fakekinesis"), ...args], {
    logFile: join(RUNS, "fakekinesis.log"),
  });
  const url = await waitFor("the fake Kinesis to listen", START_LIMIT_MS, () => {
    program.mustRun();
    return /^https?:\S+/.exec(program.log)?.[0];
  });
  const env = {
    ...(tls && { NODE_EXTRA_CA_CERTS: certificate }),
    ...(tls && forJava && { JAVA_TOOL_OPTIONS: await javaTrust(certificate) }),
  };
  const counts = async () => (await (await fetch(url)).json()) as CallCounts;
  return { url, pid: program.pid, env, counts, stop: () => program.stop(STOP_PATIENCE_MS) };
}

/** Options with which a JVM trusts this certificate and no other. */
async function javaTrust(certificate: string): Promise<string> {
  const store = certificate.replace(/pem$/, "p12");
  const into = ["-keystore", store, "-storetype", "PKCS12", "-storepass", STORE_PASSWORD] as const;
  await runToEnd(["keytool", "-importcert", "-noprompt", "-file", certificate, ...into], RUNS);
  return `-Djavax.net.ssl.trustStore=${store} -Djavax.net.ssl.trustStorePassword=${STORE_PASSWORD}`;
}

/** The DynamoDB for all daemons of a series: dynalite, or the one from Maven for KCL 3. */
export async function useDynamo(scope: Scope, forJava: boolean): Promise<string> {
  if (!forJava) return (await scope.use(startDynamo(), (service) => service.stop())).url;
  const library = await mavenLibrary(DYNAMODB_LOCAL);
  const port = await freePort();
  const program = new Program(
    [
      "java",
      `-Djava.library.path=${library}`,
      "-cp",
      join(library, "*"),
      "software.amazon.dynamodb.services.local.main.ServerRunner",
      "-inMemory",
      "-sharedDb",
      "-port",
      String(port),
    ],
    { logFile: join(RUNS, "dynamodb-local.log") },
  );
  await scope.use(Promise.resolve(program), (made) => made.stop(STOP_PATIENCE_MS));
  const url = `http://127.0.0.1:${port}`;
  await waitFor("DynamoDB Local to answer", START_LIMIT_MS, async () => {
    program.mustRun();
    return (await answers(url)) ? true : undefined;
  });
  return url;
}

export async function useKinesis(scope: Scope): Promise<string> {
  return (await scope.use(startKinesis(), (service) => service.stop())).url;
}

async function answers(url: string): Promise<boolean> {
  try {
    await fetch(url);
    return true;
  } catch {
    return false;
  }
}

/** Free now, but another program may take it. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== "object" || !address) throw new Error("no free port on 127.0.0.1");
  return address.port;
}
