// The log lines of calls and samples, which happen all the time.

import type { CallEvent } from "../../model/events/callEvent.ts";
import { type LinesOf, milliseconds } from "./line.ts";

export const CALL_LINES: LinesOf<CallEvent> = {
  serviceCall: [
    "trace",
    (e) => `${e.service} ${e.operation}: ${e.outcome} in ${milliseconds(e.elapsedMs)}.`,
  ],
  leaseCall: [
    "trace",
    (e) => `Lease table, ${e.operation}: ${e.outcome} in ${milliseconds(e.elapsedMs)}.`,
  ],
  daemonSampled: [
    "trace",
    (e) => `The daemon uses ${e.rssBytes} bytes and has used ${milliseconds(e.cpuMs)} of CPU time.`,
  ],
  childSampled: [
    "trace",
    (e) =>
      `Child ${e.pid} uses ${e.rssBytes} bytes and has used ${milliseconds(e.cpuMs)} of CPU time.`,
  ],
};
