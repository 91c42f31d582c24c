// What the producer of one stream is made of.

import type { Clock } from "../clock.ts";
import type { Emit } from "../events.ts";
import type { Measures } from "./measures.ts";
import type { ProducerSettings } from "./settings.ts";
import type { StreamCalls } from "./streamCalls.ts";

export interface StreamProducerParts {
  readonly streamName: string;
  readonly settings: ProducerSettings;
  readonly calls: StreamCalls;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly measures: Measures;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
}
