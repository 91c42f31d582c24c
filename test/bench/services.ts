// What a daemon talks to: a Kinesis at memory speed or an emulated one, and a DynamoDB.

import { createServer } from "node:net";
import { join } from "node:path";
import { startDynamo, startKinesis } from "../../src/local/services.ts";
import type { Scope } from "../../src/sample/scope.ts";
import { BIN, RUNS } from "./paths.ts";
import { Program } from "./processes.ts";
import { DYNAMODB_LOCAL, mavenLibrary } from "./tools.ts";
import { waitFor } from "./wait.ts";

export interface FakeStream {
  readonly shards: number;
  readonly recordsPerShard: number;
  /** Of a payload. */
  readonly bytes: number;
  /** KPL user records of that size in each record; 0: plain records. */
  readonly aggregate?: number;
}

export interface FakeKinesis {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

const START_LIMIT_MS = 60_000;
const STOP_PATIENCE_MS = 2_000;

export async function startFakeKinesis(stream: FakeStream): Promise<FakeKinesis> {
  const numbers = {
    shards: stream.shards,
    records: stream.recordsPerShard,
    size: stream.bytes,
    aggregate: stream.aggregate ?? 0,
  };
  const args = Object.entries(numbers).map(([name, value]) => `-${name}=${value}`);
  const program = new Program([join(BIN, "fakekinesis"), ...args], {
    logFile: join(RUNS, "fakekinesis.log"),
  });
  const url = await waitFor("the fake Kinesis to listen", START_LIMIT_MS, () => {
    program.mustRun();
    return /^http:\S+/.exec(program.log)?.[0];
  });
  return { url, pid: program.pid, stop: () => program.stop(STOP_PATIENCE_MS) };
}

/** The DynamoDB for all daemons of a series: dynalite, or for KCL 3 the one from Maven. */
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

/** Free now; nobody promises that it stays so. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== "object" || !address) throw new Error("no free port on 127.0.0.1");
  return address.port;
}
