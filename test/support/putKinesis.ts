// A Kinesis that accepts records over HTTP, with the service's limits per shard. It answers
// PutRecords, ListShards and DescribeStreamSummary, and keeps what it stored.

import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { decodeEnvelope } from "./kplEnvelope.ts";

interface Entry {
  readonly Data: string;
  readonly PartitionKey: string;
  readonly ExplicitHashKey: string;
}

export interface StoredRecord {
  readonly shardId: string;
  readonly sequenceNumber: string;
  readonly partitionKey: string;
  readonly data: Buffer;
}

export interface PutKinesisOptions {
  readonly shards?: number;
  /** Whether shards refuse more than 1,000 records or 1 MiB per second. */
  readonly isLimited?: boolean;
  readonly maxRecordKib?: number;
  /** What to do with a PutRecords call before it is stored. */
  readonly before?: (call: number) => Promise<PutFault | undefined> | PutFault | undefined;
}

export type PutFault =
  | { readonly type: "error"; readonly name: string; readonly message?: string }
  | { readonly type: "cutAfter" };

export interface PutKinesis {
  readonly url: string;
  readonly stored: readonly StoredRecord[];
  readonly calls: () => number;
  readonly entries: () => number;
  readonly refused: () => number;
  readonly stop: () => void;
}

const SPACE = 2n ** 128n;

export async function startPutKinesis(options: PutKinesisOptions = {}): Promise<PutKinesis> {
  const { shards = 1, isLimited = false, maxRecordKib, before } = options;
  const count = BigInt(shards);
  const ranges = Array.from({ length: shards }, (_, index) => ({
    ShardId: `shardId-${String(index).padStart(12, "0")}`,
    HashKeyRange: {
      StartingHashKey: String((BigInt(index) * SPACE) / count),
      EndingHashKey: String((BigInt(index + 1) * SPACE) / count - 1n),
    },
    SequenceNumberRange: { StartingSequenceNumber: "1" },
  }));
  const buckets = ranges.map(() => ({ records: 1_000, bytes: 2 ** 20, atMs: performance.now() }));
  const stored: StoredRecord[] = [];
  let [calls, entries, refused, sequence] = [0, 0, 0, 10n ** 20n];

  const accepts = (shard: number, bytes: number) => {
    const bucket = buckets[shard];
    if (!isLimited || !bucket) return true;
    const seconds = (performance.now() - bucket.atMs) / 1000;
    bucket.atMs = performance.now();
    bucket.records = Math.min(1_000, bucket.records + seconds * 1_000);
    bucket.bytes = Math.min(2 ** 20, bucket.bytes + seconds * 2 ** 20);
    if (bucket.records < 1 || bucket.bytes < bytes) return false;
    bucket.records -= 1;
    bucket.bytes -= bytes;
    return true;
  };
  const put = ({ Data, PartitionKey, ExplicitHashKey }: Entry) => {
    entries += 1;
    const data = Buffer.from(Data, "base64");
    const shard = Number((BigInt(ExplicitHashKey) * count) / SPACE);
    const ShardId = ranges[shard]?.ShardId ?? "";
    if (!accepts(shard, data.length + Buffer.byteLength(PartitionKey))) {
      refused += 1;
      const ErrorCode = "ProvisionedThroughputExceededException";
      return { ErrorCode, ErrorMessage: `Rate exceeded for shard ${ShardId}` };
    }
    sequence += 1n;
    const SequenceNumber = String(sequence);
    stored.push({
      shardId: ShardId,
      sequenceNumber: SequenceNumber,
      partitionKey: PartitionKey,
      data,
    });
    return { ShardId, SequenceNumber };
  };

  const server = createServer(async (request, response) => {
    const operation = String(request.headers["x-amz-target"]).split(".")[1];
    const body = await bodyOf(request);
    const answer = (value: unknown, status = 200) => {
      response.writeHead(status, { "content-type": "application/x-amz-json-1.1" });
      response.end(JSON.stringify(value));
    };
    if (operation === "ListShards") return answer({ Shards: ranges });
    if (operation === "DescribeStreamSummary") {
      const size = { OpenShardCount: shards, MaxRecordSizeInKiB: maxRecordKib };
      const summary = { ...size, StreamStatus: "ACTIVE" };
      return answer({ StreamDescriptionSummary: summary });
    }
    calls += 1;
    const fault = await before?.(calls - 1);
    if (fault?.type === "error") {
      return answer({ __type: fault.name, message: fault.message ?? "?" }, 400);
    }
    const Records = (JSON.parse(body) as { Records: Entry[] }).Records.map(put);
    if (fault?.type === "cutAfter") return void request.socket.destroy();
    const FailedRecordCount = Records.filter((each) => "ErrorCode" in each).length;
    answer({ FailedRecordCount, Records });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stored,
    calls: () => calls,
    entries: () => entries,
    refused: () => refused,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** The user records in what was stored, with the numbers that a consumer receives. */
export function userRecords(stored: readonly StoredRecord[]) {
  return stored.flatMap(({ shardId, sequenceNumber, partitionKey, data }) => {
    const users = decodeEnvelope(data) ?? [{ partitionKey, data }];
    return users.map(({ partitionKey: key, data: payload }, subSequenceNumber) => ({
      shardId,
      sequenceNumber,
      subSequenceNumber,
      key,
      data: payload,
    }));
  });
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
