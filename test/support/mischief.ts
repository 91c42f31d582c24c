// Processors that misbehave when a word requests it, and daemons that run them.

import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { type DaemonUnderTest, startDaemon } from "./daemon.ts";
import type { Journal } from "./journal.ts";

const PROCESSOR = fileURLToPath(new URL("../fixtures/processors/mischief.mjs", import.meta.url));

type Flag = "--once" | "--forgets-the-end" | `--dies-at=${"shutdownRequested" | "shardEnded"}`;

/** For `executableName`. */
export function mischief(...flags: readonly Flag[]): string {
  return [`"${process.execPath}" "${PROCESSOR}"`, ...flags].join(" ");
}

interface Options {
  readonly stream: string;
  readonly journal: Journal;
  readonly properties?: Readonly<Record<string, string | number | boolean>>;
  readonly env?: Readonly<Record<string, string>>;
}

export function startMischief({
  stream,
  journal,
  properties,
  env,
}: Options): Promise<DaemonUnderTest> {
  return startDaemon({
    properties: {
      executableName: mischief(),
      applicationName: stream,
      streamName: stream,
      ...properties,
    },
    env: { ...journal.env, ...env },
  });
}

/** A partition key whose records go to the first or the second of two shards. */
export function keyOfShard(index: 0 | 1): string {
  for (let number = 0; ; number += 1) {
    const [first = 0] = createHash("md5").update(String(number)).digest();
    if (first >> 7 === index) return String(number);
  }
}

export const SHARDS = ["shardId-000000000000", "shardId-000000000001"] as const;
