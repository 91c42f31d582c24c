// A Kinesis on loopback for a producer under test: every stream exists, has one shard, and accepts
// every record. It stores nothing.

import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

const SHARD_ID = "shardId-000000000000";
const LAST_HASH_KEY = String(2n ** 128n - 1n);
/** As long as the service's. */
const FIRST_SEQUENCE_NUMBER = 10n ** 55n;

export interface LoopbackStream {
  readonly url: string;
  readonly stop: () => void;
}

export async function startLoopbackStream(): Promise<LoopbackStream> {
  let sequence = FIRST_SEQUENCE_NUMBER;
  const store = () => {
    sequence += 1n;
    return { ShardId: SHARD_ID, SequenceNumber: String(sequence) };
  };
  const answers: Readonly<Record<string, (body: Body) => object>> = {
    ListShards: () => ({ Shards: [SHARD] }),
    DescribeStreamSummary: () => ({ StreamDescriptionSummary: SUMMARY }),
    DescribeStream: () => ({
      StreamDescription: { ...SUMMARY, HasMoreShards: false, Shards: [SHARD] },
    }),
    PutRecord: store,
    PutRecords: ({ Records = [] }) => ({ FailedRecordCount: 0, Records: Records.map(store) }),
  };
  const server = createServer(async (request, response) => {
    const operation = String(request.headers["x-amz-target"]).split(".")[1] ?? "";
    const body = JSON.parse((await textOf(request)) || "{}") as Body;
    const answer = answers[operation]?.(body);
    response.writeHead(answer ? 200 : 400, { "content-type": "application/x-amz-json-1.1" });
    response.end(JSON.stringify(answer ?? { __type: "UnknownOperationException" }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

interface Body {
  readonly Records?: readonly object[];
}

const SHARD = {
  ShardId: SHARD_ID,
  HashKeyRange: { StartingHashKey: "0", EndingHashKey: LAST_HASH_KEY },
  SequenceNumberRange: { StartingSequenceNumber: String(FIRST_SEQUENCE_NUMBER) },
};

const SUMMARY = {
  StreamName: "words",
  StreamARN: "arn:aws:kinesis:us-east-1:123456789012:stream/words",
  StreamStatus: "ACTIVE",
  OpenShardCount: 1,
  RetentionPeriodHours: 24,
  StreamCreationTimestamp: 1.7e9,
  EnhancedMonitoring: [],
};

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
