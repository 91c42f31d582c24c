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

/** Where an event comes from, if the process has several applications, or one several streams. */
export interface Origin {
  readonly application?: string;
  /** For events that name no shard, whose id contains the stream (model/shardKey.ts). */
  readonly streamName?: string;
}

export type Emit = (event: Event & Origin) => void;
