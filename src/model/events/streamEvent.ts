// Events of reading the stream.

import type { Position } from "../position.ts";

export type StreamEvent =
  | {
      /** The stream sent a response or an event for a shard, possibly without records. */
      readonly type: "fetched";
      readonly shardId: string;
      readonly records: number;
      readonly bytes: number;
      /** How far the shard's tip is ahead; `undefined` where Kinesis does not report it. */
      readonly millisBehindLatest: number | undefined;
    }
  | { readonly type: "iteratorExpired"; readonly shardId: string }
  /**
   * The record of the checkpoint has expired. Reading continues at the oldest record of the stream.
   */
  | {
      readonly type: "recordsExpired";
      readonly shardId: string;
      readonly checkpoint: Position;
      readonly first: Position;
    }
  /** The stream does not list the shard any more, although its end was not read. */
  | { readonly type: "shardExpired"; readonly shardId: string }
  /** The enhanced fan-out consumer is ACTIVE. */
  | {
      readonly type: "fanoutConsumerFound";
      readonly consumerName: string;
      readonly arn: string;
      /** The daemon has registered it just now. */
      readonly registered: boolean;
    }
  /** The consumer's ARN is none of AWS: an emulator, whose fan-out reports no end of a shard. */
  | { readonly type: "fanoutEmulated"; readonly arn: string }
  /** Enhanced fan-out is refused. The user chose AUTO, so the daemon polls the stream. */
  | { readonly type: "fanoutRefused"; readonly error: unknown }
  | { readonly type: "subscribed"; readonly shardId: string }
  /** Shards fall behind because the byte budget is smaller than what arrives between two reads. */
  | {
      readonly type: "readingThrottledByBudget";
      readonly shardIds: readonly string[];
      readonly forMs: number;
      /** `maxBufferedBytes`, if it is set. */
      readonly limitBytes: number | undefined;
      /** A value with which no shard would fall behind for this reason. */
      readonly enoughBytes: number;
    }
  /** A damaged KPL aggregate: its records before the damage are delivered, the others cannot be. */
  | {
      readonly type: "aggregateMalformed";
      readonly shardId: string;
      readonly sequenceNumber: string;
      readonly delivered: number;
      readonly reason: string;
    }
  /**
   * A KPL aggregate with a record of another shard's hash key: none of its records is delivered.
   */
  | {
      readonly type: "aggregateMisplaced";
      readonly shardId: string;
      readonly sequenceNumber: string;
      readonly records: number;
      /** Its records go to the dead-letter destination. */
      readonly kept: boolean;
    };
