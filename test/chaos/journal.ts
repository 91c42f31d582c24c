// Reads what the processors wrote: one file per process, from its first record to its end.

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

export interface Delivery {
  readonly key: string;
  readonly n: number;
  readonly seq: string;
  readonly atMs: number;
  readonly poison: boolean;
}

interface AskedCheckpoint {
  readonly askedMs: number;
  readonly answeredMs: number;
  /** Sequence and sub-sequence number, `4959…#3`, or `SHARD_END#0`. */
  readonly upTo: string;
  readonly error: string | null;
}

/** One child process working on one shard, or on one lane of it. */
export interface Life {
  readonly file: string;
  readonly shardId: string;
  readonly pid: number;
  readonly daemonPid: number;
  readonly worker: string;
  readonly lane?: number;
  /** 1 for the first child of its lane since the worker took the lease. */
  readonly attempt?: number;
  readonly startedMs: number;
  /** When it received its shard: much later, if it or its daemon was stopped in between. */
  readonly initializedMs: number;
  /** The checkpoint that it received: `4959…#3` or `TRIM_HORIZON#0`. */
  readonly from: string;
  readonly deliveries: readonly Delivery[];
  readonly checkpoints: readonly AskedCheckpoint[];
  /** leaseLost, shardEnded and shutdownRequested, in the order in which it received them. */
  readonly received: readonly string[];
  /** Whether it saw the end of its STDIN. */
  readonly ended: boolean;
}

type Line =
  | {
      readonly is: "life";
      readonly t: number;
      readonly startedAt: number;
      readonly shardId: string;
      readonly from: string;
      readonly pid: number;
      readonly daemon: number;
      readonly worker: string;
      readonly lane?: number;
      readonly attempt?: number;
    }
  | {
      readonly is: "record";
      readonly t: number;
      readonly key: string;
      readonly n: number;
      readonly seq: string;
      readonly poison?: string;
    }
  | {
      readonly is: "checkpoint";
      readonly t: number;
      readonly asked: number;
      readonly upTo?: string;
      readonly error: string | null;
    }
  | { readonly is: "received"; readonly t: number; readonly action: string }
  | { readonly is: "end"; readonly t: number };

/** All processes, in the order in which they started. */
export async function readJournals(folder: string): Promise<readonly Life[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".jsonl"));
  const texts = await Promise.all(
    names.map(async (file) => ({ file, text: await readFile(join(folder, file), "utf8") })),
  );
  return texts
    .flatMap(({ file, text }) => parseLife(file, text) ?? [])
    .toSorted((a, b) => a.startedMs - b.startedMs);
}

/** @returns `undefined` if the process was killed before it could write its shard. */
export function parseLife(file: string, text: string): Life | undefined {
  // A process that is killed may leave half a line, but only at the end.
  const whole = text.slice(0, text.lastIndexOf("\n") + 1).split("\n");
  const lines = whole.filter((line) => line !== "").map((line) => JSON.parse(line) as Line);
  const [first] = lines;
  if (first?.is !== "life") return undefined;
  const of = <Is extends Line["is"]>(is: Is) =>
    lines.filter((line): line is Extract<Line, { is: Is }> => line.is === is);
  return {
    file,
    shardId: first.shardId,
    pid: first.pid,
    daemonPid: first.daemon,
    worker: first.worker,
    ...(first.lane !== undefined && { lane: first.lane }),
    ...(first.attempt !== undefined && { attempt: first.attempt }),
    startedMs: first.startedAt,
    initializedMs: first.t,
    from: first.from,
    deliveries: of("record").map(({ key, n, seq, t, poison }) => ({
      key,
      n,
      seq,
      atMs: t,
      poison: poison !== undefined,
    })),
    checkpoints: of("checkpoint").flatMap(({ asked, t, upTo, error }) =>
      upTo === undefined ? [] : [{ askedMs: asked, answeredMs: t, upTo, error }],
    ),
    received: of("received").map(({ action }) => action),
    ended: of("end").length > 0,
  };
}
