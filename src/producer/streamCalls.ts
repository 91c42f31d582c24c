// The calls to Kinesis that one stream's producer makes, behind a small port: PutRecords, the open
// shards, and the largest record.

import {
  DescribeStreamSummaryCommand,
  type KinesisClient,
  ListShardsCommand,
  PutRecordsCommand,
} from "@aws-sdk/client-kinesis";
import { counted } from "../plural.ts";
import type { Envelope } from "./record.ts";
import type { OpenShard } from "./shardMap.ts";

/** What the service answers for one Kinesis record. */
export type PutAnswer =
  | { readonly shardId: string; readonly sequenceNumber: string }
  | { readonly errorCode: string; readonly errorMessage: string };

export interface StreamCalls {
  /** @returns one answer for each envelope, in order. */
  put(envelopes: readonly Envelope[]): Promise<readonly PutAnswer[]>;
  openShards(): Promise<readonly OpenShard[]>;
  /** Data and partition key of the largest record that the stream accepts. */
  maxRecordBytes(): Promise<number>;
}

/** The limit of a stream that reports none. */
export const DEFAULT_MAX_RECORD_BYTES = 1024 * 1024;

/** The service's answer does not fit the request: nobody knows what is stored. */
class RecordCountMismatch extends Error {
  override readonly name = "Record Count Mismatch";
}

export function kinesisCalls(client: KinesisClient, streamName: string): StreamCalls {
  const StreamName = streamName;
  return {
    put: async (envelopes) => {
      const Records = envelopes.map(({ data, partitionKey, hashKey }) => ({
        Data: data,
        PartitionKey: partitionKey,
        ExplicitHashKey: hashKey,
      }));
      const { Records: results = [] } = await client.send(
        new PutRecordsCommand({ StreamName, Records }),
      );
      if (results.length !== envelopes.length) {
        throw new RecordCountMismatch(
          `PutRecords on ${streamName}: the response has ${counted(results.length, "result")}, but the call had ${counted(envelopes.length, "record")}`,
        );
      }
      return results.map(({ ShardId, SequenceNumber, ErrorCode, ErrorMessage }) =>
        ShardId !== undefined && SequenceNumber !== undefined && !ErrorCode
          ? { shardId: ShardId, sequenceNumber: SequenceNumber }
          : { errorCode: ErrorCode ?? "InternalFailure", errorMessage: ErrorMessage ?? "" },
      );
    },
    openShards: async () => {
      const shards: OpenShard[] = [];
      let NextToken: string | undefined;
      do {
        const page = await client.send(
          new ListShardsCommand(
            NextToken === undefined
              ? { StreamName, MaxResults: 1000, ShardFilter: { Type: "AT_LATEST" } }
              : { NextToken, MaxResults: 1000 },
          ),
        );
        for (const { ShardId, HashKeyRange, SequenceNumberRange } of page.Shards ?? []) {
          const { StartingHashKey, EndingHashKey } = HashKeyRange ?? {};
          // Emulators that ignore the filter return closed shards too.
          const isClosed = SequenceNumberRange?.EndingSequenceNumber !== undefined;
          if (isClosed || !ShardId || !StartingHashKey || !EndingHashKey) continue;
          const hashKeyRange = { startingHashKey: StartingHashKey, endingHashKey: EndingHashKey };
          shards.push({ shardId: ShardId, hashKeyRange });
        }
        NextToken = page.NextToken;
      } while (NextToken !== undefined);
      return shards;
    },
    maxRecordBytes: async () => {
      const found = await client.send(new DescribeStreamSummaryCommand({ StreamName }));
      const kib = found.StreamDescriptionSummary?.MaxRecordSizeInKiB;
      return kib === undefined ? DEFAULT_MAX_RECORD_BYTES : kib * 1024;
    },
  };
}
