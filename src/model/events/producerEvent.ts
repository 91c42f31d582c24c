// Events of putting records into streams.

export type ProducerEvent =
  /** The open shards of the stream are known, for the first time or anew. */
  | { readonly type: "shardMapLoaded"; readonly streamName: string; readonly shards: number }
  | {
      readonly type: "shardMapFailed";
      readonly streamName: string;
      readonly error: unknown;
      readonly retryInMs: number;
    }
  /** A shard refused records because it receives too many. They are sent again. */
  | {
      readonly type: "putThrottled";
      readonly streamName: string;
      readonly shardId: string;
      readonly records: number;
      /** The rate that the producer now uses, in percent of what a shard accepts. */
      readonly ratePercent: number;
    }
  /** A call, or a record in it, failed and is sent again. */
  | {
      readonly type: "putCallFailed";
      readonly streamName: string;
      readonly errorCode: string;
      readonly errorMessage: string;
      /** User records. */
      readonly records: number;
      /** They may be stored although the call failed, and then are stored twice. */
      readonly maybeStored: boolean;
    }
  /** Only an operator can help. */
  | {
      readonly type: "putRefused";
      readonly streamName: string;
      readonly errorCode: string;
      readonly errorMessage: string;
      readonly records: number;
      /** Absent: the records fail. */
      readonly retryInMs?: number;
    }
  /** An aggregate was stored in a shard that does not hold all its records: it is sent again. */
  | {
      readonly type: "aggregateStraddles";
      readonly streamName: string;
      readonly predicted: string;
      readonly actual: string;
      readonly records: number;
    }
  /** A client of the producer has gone before it received all results. */
  | { readonly type: "clientLost"; readonly unreported: number }
  /** The connection to a client broke while the producer read. */
  | { readonly type: "clientFailed"; readonly error: unknown }
  /** The producer accepts clients at this address. */
  | { readonly type: "producerListening"; readonly address: string }
  /** Prometheus can ask at this address. */
  | { readonly type: "producerMetricsServed"; readonly address: string }
  /** The producer has ended. */
  | {
      readonly type: "producerClosed";
      readonly stored: number;
      readonly failed: number;
      readonly notStored: number;
    }
  /** Records of an earlier run that were taken and not stored. They are put again. */
  | { readonly type: "spillRecovered"; readonly records: number }
  /** The end of a spill file cannot be read: it was being written when the machine stopped. */
  | { readonly type: "spillTornTail"; readonly file: string; readonly bytes: number };
