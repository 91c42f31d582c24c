// Everything that can happen, as a closed union. The log, the metrics and the tests listen to it.
// Below the commands nothing writes a log line of its own: it emits an event. The members of the
// union are in model/events/, one file for each subject.

import type { CallEvent } from "./model/events/callEvent.ts";
import type { ChildEvent } from "./model/events/childEvent.ts";
import type { DaemonEvent } from "./model/events/daemonEvent.ts";
import type { LeaseEvent } from "./model/events/leaseEvent.ts";
import type { ProducerEvent } from "./model/events/producerEvent.ts";
import type { ShardEvent } from "./model/events/shardEvent.ts";
import type { StreamEvent } from "./model/events/streamEvent.ts";

export type Event =
  | DaemonEvent
  | LeaseEvent
  | StreamEvent
  | ChildEvent
  | ShardEvent
  | CallEvent
  | ProducerEvent;

/** Where an event comes from. */
export interface Origin {
  /** Present if several applications run in the process. */
  readonly application?: string;
  /**
   * Present if the application reads several streams, and the event names no shard, whose id would
   * contain the stream (model/shardKey.ts).
   */
  readonly streamName?: string;
  /** Present if several children share the shard (`parallelizationFactor`); counted from 0. */
  readonly lane?: number;
}

export type Emit = (event: Event & Origin) => void;

/** Reports events as those of a lane. */
export function ofLane(emit: Emit, lane: number | undefined): Emit {
  return lane === undefined ? emit : (event) => emit({ ...event, lane });
}
