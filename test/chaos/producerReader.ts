// The daemon that reads back what the producer stored. Its leases are in a local directory.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LOCAL_CREDENTIALS, LOCAL_REGION } from "../../src/local/services.ts";
import { MAIN, PROCESSOR } from "./paths.ts";

interface ReaderPlace {
  readonly folder: string;
  readonly journal: string;
  readonly streamName: string;
  readonly kinesisUrl: string;
}

export function startReader({ folder, journal, streamName, kinesisUrl }: ReaderPlace) {
  const properties = {
    executableName: `"${process.execPath}" "${PROCESSOR}"`,
    applicationName: streamName,
    streamName,
    regionName: LOCAL_REGION,
    kinesisEndpoint: kinesisUrl,
    leaseStore: `file:${join(folder, "leases")}`,
    initialPositionInStream: "TRIM_HORIZON",
    retrievalMode: "POLLING",
    idleTimeBetweenReadsInMillis: 250,
    parentShardPollIntervalMillis: 500,
  };
  const file = join(folder, "reader.properties");
  const lines = Object.entries(properties).map(([key, value]) => `${key} = ${value}\n`);
  writeFileSync(file, lines.join(""));
  const log = openSync(join(folder, "reader.log"), "w");
  const child = spawn(process.execPath, [MAIN, "-p", file], {
    stdio: ["ignore", log, log],
    env: {
      ...process.env,
      AWS_ACCESS_KEY_ID: LOCAL_CREDENTIALS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: LOCAL_CREDENTIALS.secretAccessKey,
      JOURNAL_DIR: journal,
    },
  });
  const ended = once(child, "exit");
  return {
    stop: async () => {
      child.kill("SIGTERM");
      await ended;
    },
  };
}
