// A stream that is resharded while daemons read it: several shards at once, up and down, and once
// more before they have caught up. Every record comes, those of a key in the order in which they
// were put, children after their parents.

import {
  MergeShardsCommand,
  SplitShardCommand,
  UpdateShardCountCommand,
} from "@aws-sdk/client-kinesis";
import { expect, it } from "vitest";
import { startDaemon } from "../support/daemon.ts";
import {
  createStream,
  leaseItems,
  put,
  shardsOf,
  streamActive,
  testKinesis,
  until,
} from "../support/emulators.ts";
import { Journal } from "../support/journal.ts";

const KEYS = Array.from({ length: 12 }, (_, index) => `key-${index}`);

/** Puts numbered words for each key, one after the other, until it is stopped. */
class Putter {
  readonly #stream: string;
  readonly #words: string[] = [];
  #stopped = false;
  readonly #ended: Promise<void>;

  constructor(stream: string) {
    this.#stream = stream;
    this.#ended = this.#run();
  }

  async stop(): Promise<readonly string[]> {
    this.#stopped = true;
    await this.#ended;
    return this.#words;
  }

  async #run(): Promise<void> {
    for (let number = 0; !this.#stopped; number += 1) {
      await Promise.all(
        KEYS.map(async (key) => {
          const word = `${key} ${number}`;
          await put(this.#stream, [word], key);
          this.#words.push(word);
        }),
      );
    }
  }
}

/** Two daemons on a stream that is being written to, and the verdict in the end. */
async function fleet(shards: number) {
  const stream = await createStream("reshard", shards);
  const journal = await Journal.create();
  const start = (workerId: string) =>
    startDaemon({
      properties: {
        executableName: journal.command(),
        applicationName: stream,
        streamName: stream,
        workerId,
        failoverTimeMillis: 3_000,
        parentShardPollIntervalMillis: 500,
      },
      env: journal.env,
    });
  const daemons = [await start("first"), await start("second")];
  const putter = new Putter(stream);
  const client = testKinesis();
  return {
    stream,
    client,
    /** All open shards have been begun. */
    async caughtUp(): Promise<void> {
      await streamActive(stream);
      const open = (await shardsOf(stream)).filter(
        ({ SequenceNumberRange: range }) => range?.EndingSequenceNumber === undefined,
      );
      await until("the open shards to be read", async () => {
        const begun = await journal.read();
        return open.every(({ ShardId }) => begun.has(ShardId ?? ""));
      });
    },
    async judge(): Promise<void> {
      const words = await putter.stop();
      await until("every word", async () => new Set(await journal.words()).size === words.length);
      for (const daemon of daemons) expect(await daemon.stop()).toBe(0);
      client.destroy();
      const entries = [...(await journal.read()).values()].flat().toSorted((a, b) => a.at - b.at);
      const firsts = new Set(entries.flatMap((entry) => entry.words ?? []));
      expect(firsts).toEqual(new Set(words));
      for (const key of KEYS) {
        const numbers = [...firsts].filter((word) => word.startsWith(`${key} `));
        expect(numbers).toEqual(numbers.map((_, index) => `${key} ${index}`));
      }
    },
  };
}

it("doubled and doubled again by UpdateShardCount, and brought back to one", async () => {
  const { stream, client, caughtUp, judge } = await fleet(2);
  await caughtUp();
  for (const TargetShardCount of [4, 8, 4, 2, 1]) {
    const ScalingType = "UNIFORM_SCALING";
    await client.send(
      new UpdateShardCountCommand({ StreamName: stream, TargetShardCount, ScalingType }),
    );
    await caughtUp();
  }
  await judge();
  const leases = [...(await leaseItems(stream)).values()];
  expect(leases.filter(({ checkpoint }) => checkpoint !== "SHARD_END")).toHaveLength(1);
}, 120_000);

it("by splits and merges at once, and those of the children before they have begun", async () => {
  const { stream, client, caughtUp, judge } = await fleet(4);
  await caughtUp();
  const open = async () =>
    (await shardsOf(stream))
      .filter(({ SequenceNumberRange: range }) => range?.EndingSequenceNumber === undefined)
      .toSorted((a, b) => (start(a) < start(b) ? -1 : 1));
  const start = ({
    HashKeyRange,
  }: {
    HashKeyRange?: { StartingHashKey?: string | undefined } | undefined;
  }) => BigInt(HashKeyRange?.StartingHashKey ?? 0);
  for (let round = 0; round < 3; round += 1) {
    const [a, b, c, d] = await open();
    if (!a || !b || !c || !d) throw new Error("too few shards");
    const [from, to] = [start(a), BigInt(a.HashKeyRange?.EndingHashKey ?? 0)];
    await client.send(
      new SplitShardCommand({
        StreamName: stream,
        ShardToSplit: a.ShardId,
        NewStartingHashKey: String((from + to) / 2n + 1n),
      }),
    );
    await streamActive(stream);
    await client.send(
      new MergeShardsCommand({
        StreamName: stream,
        ShardToMerge: c.ShardId,
        AdjacentShardToMerge: d.ShardId,
      }),
    );
    await streamActive(stream);
  }
  await caughtUp();
  await judge();
}, 120_000);
