// A Kinesis with the service's limits per second and shard, whose shards are written at a steady
// rate. It notes what each GetRecords call asked for, and what the call left in the shard.

import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

interface LimitedStream {
  readonly shards: number;
  /** Records a second that are written to each shard, from its first call on. */
  readonly perSecond: number;
  /** Records in each shard at its first call. */
  readonly backlog: number;
  readonly payloadBytes: number;
}

export interface NotedCall {
  readonly shardId: string;
  /** Records that the shard had. */
  readonly there: number;
  readonly given: number;
  readonly limit: number;
}

export interface LimitedKinesis {
  readonly url: string;
  /** The calls that were not throttled, in order. */
  readonly calls: readonly NotedCall[];
}

const CALLS_PER_SECOND = 5;
const BYTES_PER_SECOND = 2 * 1024 * 1024;

export async function startLimitedKinesis(options: LimitedStream): Promise<LimitedKinesis> {
  const { shards, perSecond, backlog, payloadBytes } = options;
  const data = Buffer.alloc(payloadBytes, 7).toString("base64");
  const limits = new Map<string, Bucket>();
  const begunMs = new Map<string, number>();
  const calls: NotedCall[] = [];

  const getShardIterator = ({ ShardId: id = "" }: Request) => {
    if (!begunMs.has(id)) begunMs.set(id, performance.now());
    return { ShardIterator: `${id}/0` };
  };
  const getRecords = ({ ShardIterator: iterator = "", Limit: limit = 10_000 }: Request) => {
    const [shardId = "", before = "0"] = iterator.split("/");
    const bucket = limits.get(shardId) ?? new Bucket();
    limits.set(shardId, bucket);
    if (!bucket.take()) return { __type: "ProvisionedThroughputExceededException" };
    const writtenMs = performance.now() - (begunMs.get(shardId) ?? 0);
    const written = backlog + Math.floor((writtenMs * perSecond) / 1_000);
    const there = written - Number(before);
    const given = Math.min(there, limit, 10_000, Math.floor((10 * 1024 * 1024) / payloadBytes));
    bucket.pay(given * payloadBytes);
    calls.push({ shardId, there, given, limit });
    return {
      Records: Array.from({ length: given }, (_, i) => ({
        SequenceNumber: String(10n ** 55n + BigInt(Number(before) + i)),
        ApproximateArrivalTimestamp: 1.7e9,
        Data: data,
        PartitionKey: "key",
      })),
      NextShardIterator: `${shardId}/${Number(before) + given}`,
      MillisBehindLatest: Math.floor(((there - given) * 1_000) / perSecond),
    };
  };
  const answers: Readonly<Record<string, (request: Request) => object>> = {
    ListShards: () => ({ Shards: shardList(shards) }),
    DescribeStreamSummary: () => ({ StreamDescriptionSummary: SUMMARY }),
    GetShardIterator: getShardIterator,
    GetRecords: getRecords,
  };

  const server = createServer(async (request, response) => {
    const operation = String(request.headers["x-amz-target"]).split(".")[1] ?? "";
    const answer = answers[operation]?.(await bodyOf(request)) ?? { __type: "UnknownOperation" };
    response.writeHead("__type" in answer ? 400 : 200, {
      "content-type": "application/x-amz-json-1.1",
    });
    response.end(JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, calls };
}

interface Request {
  readonly ShardId?: string;
  readonly ShardIterator?: string;
  readonly Limit?: number;
}

/** Limits calls and bytes per second. A response may exceed the bytes; later calls then wait. */
class Bucket {
  #calls = CALLS_PER_SECOND;
  #bytes = BYTES_PER_SECOND;
  #atMs = performance.now();

  take(): boolean {
    const seconds = (performance.now() - this.#atMs) / 1_000;
    this.#atMs = performance.now();
    this.#calls = Math.min(CALLS_PER_SECOND, this.#calls + seconds * CALLS_PER_SECOND);
    this.#bytes = Math.min(BYTES_PER_SECOND, this.#bytes + seconds * BYTES_PER_SECOND);
    if (this.#calls < 1 || this.#bytes <= 0) return false;
    this.#calls -= 1;
    return true;
  }

  pay(bytes: number): void {
    this.#bytes -= bytes;
  }
}

const SUMMARY = {
  StreamName: "limited",
  StreamARN: "arn:aws:kinesis:us-east-1:123456789012:stream/limited",
  StreamStatus: "ACTIVE",
  RetentionPeriodHours: 24,
  EnhancedMonitoring: [],
};

function shardList(count: number): readonly object[] {
  const width = 2n ** 128n / BigInt(count);
  return Array.from({ length: count }, (_, index) => ({
    ShardId: `shardId-${String(index).padStart(12, "0")}`,
    HashKeyRange: {
      StartingHashKey: String(width * BigInt(index)),
      EndingHashKey: String(width * BigInt(index + 1) - 1n),
    },
    SequenceNumberRange: { StartingSequenceNumber: String(10n ** 55n) },
  }));
}

async function bodyOf(request: IncomingMessage): Promise<Request> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString() || "{}") as Request;
}
