// The Java MultiLangDaemon, from Maven, with short timers and against local services.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { LOCAL_CREDENTIALS, LOCAL_REGION } from "../../src/local/services.ts";
import { RUNS } from "../bench/paths.ts";
import { Program } from "../bench/processes.ts";
import { JAVA_DAEMON, mavenLibrary } from "../bench/tools.ts";

export const JAVA_VERSION = process.env["JAVA_KCL_VERSION"] ?? JAVA_DAEMON.version;

/** Asked for nothing else, it looks for EC2 and takes its time; a proxy that refuses at once spares that. */
const OFF_EC2 = [
  "-Dhttp.proxyHost=127.0.0.1",
  "-Dhttp.proxyPort=1",
  "-Dhttp.nonProxyHosts=127.0.0.1|localhost",
];

export async function startJava(
  name: string,
  properties: Readonly<Record<string, string>>,
): Promise<Program> {
  const library = await mavenLibrary({ ...JAVA_DAEMON, version: JAVA_VERSION });
  const all = {
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
  const file = join(RUNS, `${name}.properties`);
  const lines = Object.entries(all).map(([key, value]) => `${key} = ${value}\n`);
  writeFileSync(file, lines.join(""));
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
      },
    },
  );
}

const LOOK_MS = 200;

/** How it ended, as `exit code 1`; rejects never. */
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
