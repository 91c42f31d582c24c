// Everything that can happen, as a closed union. The log, the metrics and the tests listen to it;
// nothing in the program writes a log line of its own.

import type { Position } from "./model/position.ts";

export type Event = DaemonEvent | LeaseEvent | StreamEvent | ChildEvent | ShardEvent;

export type Emit = (event: Event) => void;

type DaemonEvent =
  | {
      readonly type: "daemonStarted";
      readonly applicationName: string;
      readonly streamName: string;
      readonly workerId: string;
      readonly version: string;
    }
  | { readonly type: "stopRequested"; readonly reason: string; readonly graceMs: number }
  /** Children that did not say goodbye in time are ended. */
  | { readonly type: "graceExceeded"; readonly graceMs: number }
  /** Something that ends the daemon. The other shards stop in order; `graceMs` absent: however long they take. */
  | { readonly type: "daemonFailed"; readonly error: unknown; readonly graceMs?: number }
  | {
      readonly type: "daemonStopped";
      readonly exitCode: number;
      /** Children that failed in place of saying goodbye. */
      readonly goodbyesMissed: number;
    }
  /** Every lease is given up in order, and none is taken until the daemon is told to. */
  | { readonly type: "drainRequested"; readonly reason: string }
  | { readonly type: "drained" }
  | { readonly type: "resumed"; readonly reason: string }
  /** Something in the configuration that works, but perhaps not as the person thinks. */
  | { readonly type: "configWarning"; readonly message: string }
  /** Something in the configuration that is good to know. */
  | { readonly type: "configNotice"; readonly message: string }
  | { readonly type: "waitingForStream"; readonly message: string }
  /**
   * The event loop was held up, as sleeps tell that ended too late: by as much as lies between two renewals of a lease, or
   * by so much again and again that records wait for it. Told once a minute at most; the figures are
   * of the time since it was told, or of the last minute.
   */
  | {
      readonly type: "eventLoopHeld";
      readonly endangers: "leases" | "latency";
      readonly longestMs: number;
      readonly p99Ms: number;
      readonly periodMs: number;
    }
  /** A service did not answer as hoped; it is tried again. */
  | {
      readonly type: "serviceTrouble";
      readonly service: "kinesis" | "dynamodb";
      readonly operation: string;
      readonly shardId?: string;
      readonly error: unknown;
      /** Failures in a row, this one included. */
      readonly attempt: number;
      readonly retryInMs: number;
    }
  | {
      readonly type: "serviceRecovered";
      readonly service: "kinesis" | "dynamodb";
      readonly operation: string;
      readonly shardId?: string;
      readonly attempts: number;
    };

/**
 * Why a lease was taken: nobody owned it, its owner stopped renewing, a busier worker was robbed of it (one of KCL 2.x) or
 * handed it over, the leader of a 3.x fleet gave it to us, or it was ours before.
 */
export type TakenHow = "unowned" | "expired" | "stolen" | "handedOver" | "assigned" | "resumed";

type LeaseEvent =
  | { readonly type: "leaseTableCreated"; readonly tableName: string }
  | { readonly type: "leaseCreated"; readonly shardId: string; readonly checkpoint: Position }
  | {
      readonly type: "leaseTaken";
      readonly shardId: string;
      readonly how: TakenHow;
      readonly from?: string;
    }
  | { readonly type: "leaseRenewed"; readonly shardId: string }
  | { readonly type: "leaseLost"; readonly shardId: string; readonly reason: string }
  /** `to`: it was handed over. */
  | { readonly type: "leaseReleased"; readonly shardId: string; readonly to?: string }
  /** The lease is wanted elsewhere: the child finishes its batch, and then it is handed over. */
  | { readonly type: "handoverRequested"; readonly shardId: string; readonly to: string }
  | { readonly type: "leaseDeleted"; readonly shardId: string; readonly reason: string }
  /** Shards that nobody reads, and that this worker may not take: it holds `maxLeasesForWorker` leases. */
  | {
      readonly type: "leasesBeyondLimit";
      readonly shardIds: readonly string[];
      readonly maxLeasesForWorker: number;
    }
  /** Rows of the lease table cannot be about the stream as it is now. */
  | {
      readonly type: "leasesContradicted";
      readonly shardIds: readonly string[];
      readonly message: string;
    }
  /** How leases come to this worker: at the start, and whenever it changes. */
  | {
      readonly type: "fleetModeChosen";
      readonly version: "2x" | "3x";
      /** A Java worker leads a fleet of KCL 3.x. */
      readonly led: boolean;
      readonly found: string;
    }
  /** How leases are found that a leader has assigned to this worker: at first, and whenever it changes. `why`: not by the index. */
  | { readonly type: "discoveryChosen"; readonly by: "index" | "scan"; readonly why?: string }
  | { readonly type: "shardsSynced"; readonly shards: number; readonly created: number };

type StreamEvent =
  | {
      readonly type: "fetched";
      readonly shardId: string;
      readonly records: number;
      readonly bytes: number;
    }
  | { readonly type: "iteratorExpired"; readonly shardId: string }
  /** The record of the checkpoint is gone: reading goes on at the oldest one that the stream has left. */
  | {
      readonly type: "recordsExpired";
      readonly shardId: string;
      readonly checkpoint: Position;
      readonly first: Position;
    }
  /** The stream does not list the shard any more, though its end was not read. */
  | { readonly type: "shardExpired"; readonly shardId: string }
  /** The consumer of enhanced fan-out is ACTIVE. */
  | {
      readonly type: "fanoutConsumerFound";
      readonly consumerName: string;
      readonly arn: string;
      /** It was registered just now, by us. */
      readonly registered: boolean;
    }
  /** Enhanced fan-out is refused, and the person left the choice to us: the stream is polled. */
  | { readonly type: "fanoutRefused"; readonly error: unknown }
  | { readonly type: "subscribed"; readonly shardId: string }
  /** A KPL aggregate with something wrong inside: what came before it is delivered, the rest of it cannot be. */
  | {
      readonly type: "aggregateMalformed";
      readonly shardId: string;
      readonly sequenceNumber: string;
      readonly delivered: number;
      readonly reason: string;
    };

type ChildEvent =
  | {
      readonly type: "childStarted";
      readonly shardId: string;
      readonly pid: number;
      readonly argv: readonly string[];
    }
  /** No child is started: a person will start the processor, and it connects to this address. */
  | {
      readonly type: "waitingForAttachment";
      readonly shardId: string;
      readonly address: string;
      /** Shards that come first, for one at a time is attached. */
      readonly before: number;
    }
  | { readonly type: "attached"; readonly shardId: string; readonly address: string }
  | {
      readonly type: "detached";
      readonly shardId: string;
      readonly address: string;
      /** Whether we had told it to end. */
      readonly expected: boolean;
    }
  /** A line on the child's STDERR, or one on its STDOUT that is no message (`stream: "stdout"`). */
  | {
      readonly type: "childOutput";
      readonly shardId: string;
      readonly pid: number;
      readonly stream: "stdout" | "stderr";
      readonly line: string;
    }
  /** A `log` message of the child: our extension of the protocol. */
  | {
      readonly type: "childLog";
      readonly shardId: string;
      readonly pid: number;
      readonly level: "debug" | "info" | "warn" | "error";
      readonly message: string;
    }
  /** The child has not answered for a minute; repeated whenever the wait has doubled. */
  | {
      readonly type: "answerOwed";
      readonly shardId: string;
      readonly pid: number;
      readonly action: string;
      readonly elapsedMs: number;
    }
  /** Something that the protocol does not foresee and that we got over; told once per kind and child. */
  | {
      readonly type: "protocolWarning";
      readonly shardId: string;
      readonly pid: number;
      readonly message: string;
    }
  /** A checkpoint failed in a way that has no name; the child was told KinesisClientLibDependencyException. */
  | {
      readonly type: "checkpointTrouble";
      readonly shardId: string;
      readonly pid: number;
      readonly error: unknown;
    }
  | {
      readonly type: "childExited";
      readonly shardId: string;
      readonly pid: number;
      readonly exitCode?: number;
      readonly signal?: string;
      /** Whether we had closed its STDIN, or it ended by itself. */
      readonly expected: boolean;
    }
  /** Lines that a child wrote faster than we pass them on; the last of them are still kept for the case that it fails. */
  | {
      readonly type: "childOutputDropped";
      readonly shardId: string;
      readonly pid: number;
      readonly stream: "stdout" | "stderr";
      readonly lines: number;
    }
  /** Who would end the children, were this process killed, has ended. */
  | { readonly type: "watchdogEnded"; readonly reason: string; readonly replaced: boolean };

type ShardEvent =
  | {
      readonly type: "waitingForParents";
      readonly shardId: string;
    }
  | { readonly type: "shardStarted"; readonly shardId: string; readonly position: Position }
  | {
      readonly type: "batchProcessed";
      readonly shardId: string;
      readonly pid: number;
      readonly records: number;
      readonly bytes: number;
      /** Of the last record; `undefined` for an empty batch. */
      readonly position: Position | undefined;
      readonly millisBehindLatest: number | undefined;
      readonly elapsedMs: number;
    }
  | { readonly type: "checkpointed"; readonly shardId: string; readonly position: Position }
  | {
      readonly type: "checkpointRefused";
      readonly shardId: string;
      readonly error: string;
      readonly message: string;
    }
  /** A child failed; what is done about it stands in `next`. */
  | {
      readonly type: "childFailed";
      readonly shardId: string;
      /** Which child of this tenure it was, from 1. */
      readonly attempt: number;
      /** A ChildFailed, with exit code or signal and the last lines, or a ShardEndNotCheckpointed. */
      readonly error: Error;
      /** The records in its hands: how many, from where to where. */
      readonly records: number;
      readonly first: Position | undefined;
      readonly last: Position | undefined;
      readonly next: "restart" | "releaseLease" | "exit" | "stop";
      readonly retryInMs: number | undefined;
    }
  /** A shard did not move for `progressTimeoutSeconds`; what is done about it stands in `step`. */
  | {
      readonly type: "shardStuck";
      readonly shardId: string;
      /** What did not come: records from the service, or the child's answer. */
      readonly waitingFor: "records" | "child";
      readonly step: "restartFetcher" | "restartChild" | "releaseLease";
      readonly quietMs: number;
    }
  /** A child is long about its work, but shows signs of life: it is left alone. Told once for each action. */
  | {
      readonly type: "childSlow";
      readonly shardId: string;
      readonly pid: number;
      readonly elapsedMs: number;
    }
  /** Records that no child could process are safe in the destination for such records, and left out from now on. */
  | {
      readonly type: "recordsBuried";
      readonly shardId: string;
      readonly records: number;
      readonly first: Position | undefined;
      readonly last: Position | undefined;
      readonly condition: "attempts" | "age";
    }
  /** The destination for dead letters did not take them; the shard waits. */
  | {
      readonly type: "destinationTrouble";
      readonly shardId: string;
      readonly error: unknown;
      readonly attempt: number;
      readonly retryInMs: number;
    }
  | {
      readonly type: "shardStopped";
      readonly shardId: string;
      readonly reason: "shardEnded" | "leaseLost" | "stopRequested" | "stuck" | "failed";
    };
