// The run of `produce` with lines: each line of the input is one record. It shows progress, and the
// totals at the end.

import type { Readable } from "node:stream";
import type { Clock } from "../clock.ts";
import { counted } from "../plural.ts";
import type { ProducerCore } from "../producer/core.ts";
import type { Failed } from "../producer/record.ts";
import { feed } from "./feed.ts";
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
  let failed = 0;
  const fail = (number: number, { errorCode, message }: Failed) => {
    failed += 1;
    if (failed <= MAX_SHOWN) output.write(`Record ${number} failed: ${errorCode}: ${message}\n`);
    if (failed === MAX_SHOWN) output.write("Further failures are only counted.\n");
  };
  await feed({
    core,
    streamName,
    batches: pacedLines({ input }, clock, signal),
    partitionKey,
    progress,
    onFailed: fail,
    signal,
  });
  const notStored = await core.close(closeTimeoutMs);
  progress.finish();
  if (failed > 0) output.write(`${counted(failed, "record")} not stored.\n`);
  return { stored: progress.total, failed: failed - notStored, notStored };
}
