// Puts numbered records at a fixed rate, spread over keys. Each key counts from 0. It calls the
// service directly, so each record that it reports was put exactly once. The next record of a key
// is put after the previous one is acknowledged. Some are packed into aggregates.

import {
  type KinesisClient,
  PutRecordsCommand,
  type PutRecordsRequestEntry,
} from "@aws-sdk/client-kinesis";
import { systemClock } from "../../src/clock.ts";
import { aggregate } from "../records/kpl.ts";
import { nowMs } from "./faultLog.ts";
import type { Random } from "./random.ts";

/**
 * The share of records in aggregates, and the size of an aggregate, as the Kinesis Producer Library
 * packs them.
 */
const AGGREGATED_SHARE = 0.1;
const AGGREGATE_MAX = 6;

export interface PutRecord {
  readonly key: string;
  readonly n: number;
  /** When the service acknowledged it. */
  readonly atMs: number;
  readonly poison: boolean;
}

export interface PutterOptions {
  readonly client: KinesisClient;
  readonly streamName: string;
  readonly random: Random;
  /** Each round puts one record for some of these keys. */
  readonly keys: readonly string[];
  readonly roundMs: number;
  /** One in this number of records kills its processor; 0 means none. */
  readonly poisonEvery: number;
}

export async function putUntil(
  stop: AbortSignal,
  options: PutterOptions,
  ledger: PutRecord[],
): Promise<void> {
  const { client, streamName, random, keys, roundMs } = options;
  const next = new Map<string, number>();
  while (!stop.aborted) {
    const atLeast = random.whole(0, keys.length - 1);
    const chosen = keys.filter((_, index) => index === atLeast || random.next() < 0.5);
    const round = chosen.map((key) => numbered(key, next.get(key) ?? 0, options));
    const answer = await client.send(
      new PutRecordsCommand({ StreamName: streamName, Records: round.map(toEntry) }),
    );
    const atMs = nowMs();
    round.forEach((records, index) => {
      // A record that was refused is put in a later round, with the same number.
      if (answer.Records?.[index]?.SequenceNumber === undefined) return;
      for (const record of records) {
        next.set(record.key, record.n + 1);
        ledger.push({ ...record, atMs });
      }
    });
    await systemClock.sleep(roundMs, stop);
  }
}

type Numbered = Omit<PutRecord, "atMs">;

/** One record of a key, or several for one aggregate. */
function numbered(key: string, from: number, options: PutterOptions): readonly Numbered[] {
  const { random, poisonEvery } = options;
  const count = random.next() < AGGREGATED_SHARE ? random.whole(2, AGGREGATE_MAX) : 1;
  return Array.from({ length: count }, (_, index) => ({
    key,
    n: from + index,
    poison: poisonEvery > 0 && random.next() * poisonEvery < 1,
  }));
}

function toEntry(records: readonly Numbered[]): PutRecordsRequestEntry {
  const made = records.map(({ key, n, poison }) => ({
    partitionKey: key,
    data: Buffer.from(poison ? `${n} poison` : String(n)),
  }));
  const [first] = made;
  if (!first) throw new Error("there is nothing to put");
  return {
    PartitionKey: first.partitionKey,
    Data: made.length === 1 ? first.data : aggregate(made),
  };
}
