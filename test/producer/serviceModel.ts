// A stream in virtual time: shards with the service's limits, faults, splits and merges, and a
// consumer that drops aggregates as a KCL does. It stands in for the network, not for a module: the
// producer calls it through the port StreamCalls.

import type { Clock } from "../../src/clock.ts";
import type { Envelope } from "../../src/producer/record.ts";
import type { OpenShard } from "../../src/producer/shardMap.ts";
import type { PutAnswer, StreamCalls } from "../../src/producer/streamCalls.ts";
import { hashKeyOf, hashWords } from "../../src/records/kpl/hashKey.ts";
import { decodeEnvelope } from "../support/kplEnvelope.ts";

/** Time that passes only when everything waits for it. */
export class VirtualClock implements Clock {
  #nowMs = 0;
  #sleepers: { readonly atMs: number; readonly wake: () => void }[] = [];

  now(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const sleeper = { atMs: this.#nowMs + ms, wake: resolve };
      this.#sleepers.push(sleeper);
      signal?.addEventListener("abort", () => {
        this.#sleepers = this.#sleepers.filter((each) => each !== sleeper);
        resolve();
      });
    });
  }

  /** Lets time pass until the work ends. */
  async until<T>(work: Promise<T>): Promise<T> {
    let isDone = false;
    const done = () => {
      isDone = true;
    };
    work.then(done, done);
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      if (isDone) return work;
      const next = this.#sleepers.reduce((first, each) => (each.atMs < first.atMs ? each : first));
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      this.#sleepers = this.#sleepers.filter((each) => each !== next);
      next.wake();
    }
  }
}

export interface Kept {
  readonly shardId: string;
  readonly sequenceNumber: string;
  readonly partitionKey: string;
  readonly hashKey: bigint;
  readonly data: Buffer;
}

interface ModelShard {
  readonly shardId: string;
  readonly first: bigint;
  readonly last: bigint;
  records: number;
  bytes: number;
  atMs: number;
}

export interface ModelOptions {
  readonly clock: Clock;
  /** 0 ≤ x < 1, from a seed. */
  readonly random: () => number;
  readonly shards: number;
  readonly latencyMs: number;
  /** The share of calls that are cut before, cut after, and of entries that fail inside. */
  readonly cutBefore?: number;
  readonly cutAfter?: number;
  readonly internalFailures?: number;
  readonly maxRecordBytes?: number;
  readonly hidesLimit?: boolean;
}

const LAST = 2n ** 128n - 1n;
/** An idle shard saves one second. */
const RECORDS_PER_SECOND = 1_000;
const BYTES_PER_SECOND = 1024 * 1024;

export class StreamModel implements StreamCalls {
  readonly #options: ModelOptions;
  #open: ModelShard[] = [];
  readonly #ranges = new Map<string, { first: bigint; last: bigint }>();
  #nextShard = 0;
  #sequence = 10n ** 20n;
  /** Everything stored, in order of storage. */
  readonly kept: Kept[] = [];
  entries = 0;
  refused = 0;
  calls = 0;
  /** Thrown by every PutRecords while it is set. */
  failWith: Error | undefined;
  /** Thrown by every ListShards while it is set. */
  failListing: Error | undefined;

  constructor(options: ModelOptions) {
    this.#options = options;
    const count = BigInt(options.shards);
    for (let i = 0n; i < count; i += 1n) {
      this.#add((i * (LAST + 1n)) / count, ((i + 1n) * (LAST + 1n)) / count - 1n);
    }
  }

  async put(envelopes: readonly Envelope[]): Promise<readonly PutAnswer[]> {
    const { clock, random, latencyMs, cutBefore = 0, cutAfter = 0 } = this.#options;
    this.calls += 1;
    await clock.sleep(latencyMs * random());
    if (this.failWith) throw this.failWith;
    if (random() < cutBefore) throw Object.assign(new Error("cut"), { code: "ECONNREFUSED" });
    const max = this.#options.maxRecordBytes ?? 1024 * 1024;
    if (envelopes.some(({ bytes }) => bytes > max)) {
      throw Object.assign(new Error("a record is too large"), { name: "ValidationException" });
    }
    // The service keeps no order within a call.
    const answers = new Map(
      [...envelopes].sort(() => random() - 0.5).map((each) => [each, this.#store(each)]),
    );
    await clock.sleep(latencyMs * random());
    if (random() < cutAfter) throw Object.assign(new Error("cut"), { code: "ECONNRESET" });
    return envelopes.map((each) => answers.get(each) ?? { errorCode: "?", errorMessage: "" });
  }

  async openShards(): Promise<readonly OpenShard[]> {
    if (this.failListing) throw this.failListing;
    const { clock, latencyMs } = this.#options;
    const shards = this.#open.map(({ shardId, first, last }) => ({
      shardId,
      hashKeyRange: { startingHashKey: String(first), endingHashKey: String(last) },
    }));
    await clock.sleep(latencyMs);
    return shards;
  }

  async maxRecordBytes(): Promise<number> {
    if (this.#options.hidesLimit) throw new Error("no permission for DescribeStreamSummary");
    return this.#options.maxRecordBytes ?? 1024 * 1024;
  }

  split(): void {
    const at = Math.floor(this.#options.random() * this.#open.length);
    const [parent] = this.#open.splice(at, 1);
    if (!parent) return;
    const middle = (parent.first + parent.last) / 2n;
    this.#add(parent.first, middle);
    this.#add(middle + 1n, parent.last);
  }

  merge(): void {
    this.#open.sort((a, b) => (a.first < b.first ? -1 : 1));
    if (this.#open.length < 2) return;
    const at = Math.floor(this.#options.random() * (this.#open.length - 1));
    const [left, right] = this.#open.splice(at, 2);
    if (left && right) this.#add(left.first, right.last);
  }

  /** What a consumer receives that drops an aggregate with a record of another shard, as a KCL. */
  delivered(): { readonly at: string; readonly key: string; readonly data: string }[] {
    const words = new Uint32Array(4);
    return this.kept.flatMap(({ shardId, sequenceNumber, partitionKey, data }) => {
      const at = (sub: number) => `${shardId} ${sequenceNumber} ${sub}`;
      const users = decodeEnvelope(data);
      if (!users) return [{ at: at(0), key: partitionKey, data: data.toString() }];
      const range = this.#ranges.get(shardId);
      const isHeld = users.every(({ partitionKey: key, explicitHashKey }) => {
        hashWords(key, words);
        const hash = explicitHashKey === undefined ? hashKeyOf(words) : BigInt(explicitHashKey);
        return range !== undefined && hash >= range.first && hash <= range.last;
      });
      if (!isHeld) return [];
      return users.map((each, sub) => ({
        at: at(sub),
        key: each.partitionKey,
        data: each.data.toString(),
      }));
    });
  }

  #store({ data, partitionKey, hashKey: text, bytes }: Envelope): PutAnswer {
    const { random, internalFailures = 0 } = this.#options;
    this.entries += 1;
    if (random() < internalFailures) return { errorCode: "InternalFailure", errorMessage: "?" };
    const hashKey = BigInt(text);
    const shard = this.#open.find(({ first, last }) => hashKey >= first && hashKey <= last);
    if (!shard) throw new Error(`no shard holds ${hashKey}`);
    this.#fill(shard);
    if (shard.records < 1 || shard.bytes < bytes) {
      this.refused += 1;
      const errorCode = "ProvisionedThroughputExceededException";
      return { errorCode, errorMessage: "Rate exceeded for shard" };
    }
    shard.records -= 1;
    shard.bytes -= bytes;
    this.#sequence += 1n;
    const { shardId } = shard;
    const sequenceNumber = String(this.#sequence);
    this.kept.push({ shardId, sequenceNumber, partitionKey, hashKey, data });
    return { shardId, sequenceNumber };
  }

  #fill(shard: ModelShard): void {
    const nowMs = this.#options.clock.monotonicMs();
    const seconds = (nowMs - shard.atMs) / 1000;
    shard.atMs = nowMs;
    shard.records = Math.min(RECORDS_PER_SECOND, shard.records + seconds * RECORDS_PER_SECOND);
    shard.bytes = Math.min(BYTES_PER_SECOND, shard.bytes + seconds * BYTES_PER_SECOND);
  }

  #add(first: bigint, last: bigint): void {
    const shardId = `shardId-${String(this.#nextShard++).padStart(12, "0")}`;
    const atMs = this.#options.clock.monotonicMs();
    const full = { records: RECORDS_PER_SECOND, bytes: BYTES_PER_SECOND, atMs };
    this.#open.push({ shardId, first, last, ...full });
    this.#ranges.set(shardId, { first, last });
  }
}

/** Numbers from a seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
