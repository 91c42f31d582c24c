// The Java MultiLangDaemon, from Maven, with short timers and local services.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LOCAL_CREDENTIALS, LOCAL_REGION } from "../../src/local/services.ts";
import { RUNS } from "../bench/paths.ts";
import { Program } from "../bench/processes.ts";
import { JAVA_CORE, JAVA_DAEMON, mavenLibrary } from "../bench/tools.ts";

export const JAVA_VERSION = process.env["JAVA_KCL_VERSION"] ?? JAVA_DAEMON.version;

/** A MultiLangDaemon, possibly with a newer library than it was published with. */
export interface JavaRelease {
  readonly daemon: string;
  readonly core?: string;
}

export function libraryOf({ daemon, core }: JavaRelease): Promise<string> {
  const instead = core === undefined ? undefined : { ...JAVA_CORE, version: core };
  return mavenLibrary({ ...JAVA_DAEMON, version: daemon }, instead);
}

/** Without these, it looks for EC2 and waits. A proxy that refuses at once avoids the wait. */
const OFF_EC2 = [
  "-Dhttp.proxyHost=127.0.0.1",
  "-Dhttp.proxyPort=1",
  "-Dhttp.nonProxyHosts=127.0.0.1|localhost",
];

/** Properties that both daemons support: short timers, polling, the local services. */
export function javaProperties(
  properties: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  return {
    regionName: LOCAL_REGION,
    initialPositionInStream: "TRIM_HORIZON",
    retrievalMode: "POLLING",
    metricsLevel: "NONE",
    AwsCredentialsProvider: "DefaultCredentialsProvider",
    workerId: "java",
    failoverTimeMillis: "12000",
    leaseAssignmentIntervalMillis: "3000",
    shardSyncIntervalMillis: "1000",
    parentShardPollIntervalMillis: "1000",
    idleTimeBetweenReadsInMillis: "500",
    shutdownGraceMillis: "20000",
    ...properties,
  };
}

/** @returns the path of the file, which stays beside the logs. */
export function writeProperties(
  name: string,
  properties: Readonly<Record<string, string>>,
): string {
  mkdirSync(RUNS, { recursive: true });
  const file = join(RUNS, `${name}.properties`);
  const lines = Object.entries(properties).map(([key, value]) => `${key} = ${value}\n`);
  writeFileSync(file, lines.join(""));
  return file;
}

export async function startJava(
  name: string,
  properties: Readonly<Record<string, string>>,
  release: JavaRelease = { daemon: JAVA_VERSION },
  env: Readonly<Record<string, string>> = {},
): Promise<Program> {
  const library = await libraryOf(release);
  // Before version 3 the key had this spelling, and the AWS SDK for Java another name for the
  // variable.
  const old = release.daemon.startsWith("2.")
    ? { AWSCredentialsProvider: "DefaultAWSCredentialsProviderChain" }
    : {};
  const file = writeProperties(name, { ...javaProperties(properties), ...old });
  const main = "software.amazon.kinesis.multilang.MultiLangDaemon";
  return new Program(
    [
      "java",
      "-Xmx1g",
      "-Dfile.encoding=UTF-8",
      ...OFF_EC2,
      "-cp",
      join(library, "*"),
      main,
      "-p",
      file,
    ],
    {
      logFile: join(RUNS, `${name}.log`),
      env: {
        AWS_ACCESS_KEY_ID: LOCAL_CREDENTIALS.accessKeyId,
        AWS_SECRET_ACCESS_KEY: LOCAL_CREDENTIALS.secretAccessKey,
        AWS_EC2_METADATA_DISABLED: "true",
        ...env,
      },
    },
  );
}

const LOOK_MS = 200;

/** How it ended, such as `exit code 1`. Never rejects. */
export async function endOf(program: Program): Promise<string> {
  for (;;) {
    try {
      program.mustRun();
    } catch (error) {
      return /ended \((.+?)\)/.exec(String(error))?.[1] ?? String(error);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
