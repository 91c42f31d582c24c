// The run of `produce` with lines: each line of the input is one record. It shows progress, and the
// totals at the end.

import type { Readable } from "node:stream";
import type { Clock } from "../clock.ts";
import { counted } from "../plural.ts";
import { type ProducerCore, sizeOf } from "../producer/core.ts";
import { isStored, type Outcome } from "../producer/record.ts";
import { Progress, type ProgressOutput } from "./progress.ts";
import { pacedLines } from "./sources.ts";

export interface LinesRun {
  readonly core: ProducerCore;
  readonly streamName: string;
  readonly input: Readable;
  readonly partitionKey: (data: Uint8Array) => string;
  readonly output: ProgressOutput;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly closeTimeoutMs: number;
}

export interface LinesTotals {
  readonly stored: number;
  readonly failed: number;
  readonly notStored: number;
}

/** The first failures are shown one by one. */
const MAX_SHOWN = 5;

/** Returns when the input has ended, or the signal is aborted, and all records have an outcome. */
export async function produceLines(run: LinesRun): Promise<LinesTotals> {
  const { core, streamName, input, partitionKey, output, clock, signal, closeTimeoutMs } = run;
  const progress = new Progress(streamName, output, clock);
  let [line, stored, failed] = [0, 0, 0];
  const fail = (at: number, { errorCode, message }: Extract<Outcome, { errorCode: string }>) => {
    failed += 1;
    if (failed <= MAX_SHOWN) output.write(`Record ${at} failed: ${errorCode}: ${message}\n`);
    if (failed === MAX_SHOWN) output.write("Further failures are only counted.\n");
  };
  for await (const lines of pacedLines({ input }, clock, signal)) {
    for (const data of lines) {
      line += 1;
      const at = line;
      const record = { data, partitionKey: partitionKey(data) };
      const problem = core.problemOf(streamName, record);
      if (problem) {
        fail(at, { ...problem, attempts: [] });
        continue;
      }
      if (!core.tryRoom(sizeOf(record))) await core.room(sizeOf(record));
      core.put(streamName, record, (outcome) => {
        if (!isStored(outcome)) return fail(at, outcome);
        stored += 1;
        progress.stored([record]);
      });
    }
  }
  const notStored = await core.close(closeTimeoutMs);
  progress.finish();
  if (failed > 0) output.write(`${counted(failed, "record")} not stored.\n`);
  return { stored, failed: failed - notStored, notStored };
}
