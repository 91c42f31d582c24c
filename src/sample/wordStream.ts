// The stream of the sample, and the count of the words that were put into it.

import { randomUUID } from "node:crypto";
import { type KinesisClient, ListShardsCommand, SplitShardCommand } from "@aws-sdk/client-kinesis";
import { kinesisClient } from "../aws/kinesisClient.ts";
import { LOCAL_CREDENTIALS, LOCAL_REGION } from "../local/services.ts";
import { putRecords } from "../producer/putRecords.ts";
import { ensureStream } from "../put/ensureStream.ts";
import type { ProducerProgram } from "./producerProgram.ts";
import type { WordCounts } from "./view.ts";

const WORDS = ["bird", "cat", "dog", "fish", "horse", "mouse"] as const;

export class WordStream {
  readonly #client: KinesisClient;
  readonly #name: string;
  readonly #counts = new Map<string, number>();
  #total = 0;
  #producer: ProducerProgram | undefined;

  private constructor(client: KinesisClient, name: string) {
    this.#client = client;
    this.#name = name;
  }

  /** Creates the stream on the Kinesis at `endpoint` and resolves when it is active. */
  static async create(name: string, shards: number, endpoint: string): Promise<WordStream> {
    const client = await kinesisClient({
      endpoint,
      region: LOCAL_REGION,
      credentials: LOCAL_CREDENTIALS,
    });
    const wanted = { streamName: name, createWithShards: shards };
    await ensureStream(client, wanted, new AbortController().signal);
    return new WordStream(client, name);
  }

  /** From now on, this program puts the words. */
  useProducer(producer: ProducerProgram): void {
    this.#producer = producer;
  }

  get counts(): WordCounts {
    return this.#counts;
  }

  get total(): number {
    return this.#total;
  }

  /** Puts random words, and counts only those that were stored. */
  async put(howMany: number): Promise<void> {
    if (howMany <= 0) return;
    const words = Array.from({ length: howMany }, randomWord);
    const records = words.map((word) => ({ data: Buffer.from(word), partitionKey: randomUUID() }));
    if (this.#producer) {
      const areStored = await this.#producer.put(records);
      for (const [index, word] of words.entries()) if (areStored[index]) this.#count(word);
      return;
    }
    await putRecords(this.#client, this.#name, records, {
      onStored: (stored) => {
        for (const { data } of stored) this.#count(Buffer.from(data).toString("utf8"));
      },
    });
  }

  /**
   * Splits the first open shard in the middle of its hash keys.
   *
   * @returns a line that reports it.
   */
  async splitFirstShard(): Promise<string> {
    const { Shards = [] } = await this.#client.send(
      new ListShardsCommand({ StreamName: this.#name }),
    );
    const shard = Shards.find((found) => !found.SequenceNumberRange?.EndingSequenceNumber);
    const { StartingHashKey, EndingHashKey } = shard?.HashKeyRange ?? {};
    if (!shard?.ShardId || !StartingHashKey || !EndingHashKey)
      return "There is no open shard to split";
    const middle = (BigInt(StartingHashKey) + BigInt(EndingHashKey)) / 2n;
    await this.#client.send(
      new SplitShardCommand({
        StreamName: this.#name,
        ShardToSplit: shard.ShardId,
        NewStartingHashKey: String(middle),
      }),
    );
    return `${shard.ShardId} is split: its children begin when it is finished`;
  }

  async close(): Promise<void> {
    this.#client.destroy();
  }

  #count(word: string): void {
    this.#counts.set(word, (this.#counts.get(word) ?? 0) + 1);
    this.#total += 1;
  }
}

function randomWord(): string {
  return WORDS[Math.floor(Math.random() * WORDS.length)] ?? WORDS[0];
}
