// Puts numbered records, so many a second, spread over keys; each key counts from 0. It talks to the service itself,
// so that what it says was put was put once. The next record of a key is put when the one before is acknowledged.

import { type KinesisClient, PutRecordsCommand } from "@aws-sdk/client-kinesis";
import { systemClock } from "../../src/clock.ts";
import { nowMs } from "./faultLog.ts";
import type { Random } from "./random.ts";

export interface PutRecord {
  readonly key: string;
  readonly n: number;
  /** When the service had acknowledged it. */
  readonly atMs: number;
  readonly poison: boolean;
}

export interface PutterOptions {
  readonly client: KinesisClient;
  readonly streamName: string;
  readonly random: Random;
  /** One record of some of these keys in each round. */
  readonly keys: readonly string[];
  readonly roundMs: number;
  /** Of so many records one kills its processor; 0 = none does. */
  readonly poisonEvery: number;
}

export async function putUntil(
  stop: AbortSignal,
  options: PutterOptions,
  ledger: PutRecord[],
): Promise<void> {
  const { client, streamName, random, keys, roundMs, poisonEvery } = options;
  const next = new Map<string, number>();
  while (!stop.aborted) {
    const atLeast = random.whole(0, keys.length - 1);
    const chosen = keys.filter((_, index) => index === atLeast || random.next() < 0.5);
    const round = chosen.map((key) => ({
      key,
      n: next.get(key) ?? 0,
      poison: poisonEvery > 0 && random.next() * poisonEvery < 1,
    }));
    const answer = await client.send(
      new PutRecordsCommand({
        StreamName: streamName,
        Records: round.map(({ key, n, poison }) => ({
          PartitionKey: key,
          Data: Buffer.from(poison ? `${n} poison` : String(n)),
        })),
      }),
    );
    const atMs = nowMs();
    round.forEach(({ key, n, poison }, index) => {
      // What was refused is put in a later round, under the same number.
      if (answer.Records?.[index]?.SequenceNumber === undefined) return;
      next.set(key, n + 1);
      ledger.push({ key, n, poison, atMs });
    });
    await systemClock.sleep(roundMs, stop);
  }
}
