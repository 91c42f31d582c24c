// Patience for a stream that is not there yet, for those who asked for it.

import { backoffMs } from "../../retry.ts";
import { listShards } from "../listing/listShards.ts";
import { StreamNotFound } from "./readErrors.ts";
import type { RetryOptions } from "./retried.ts";
import type { StreamId } from "./streamId.ts";

const BACKOFF = { baseMs: 1_000, capMs: 10_000 };

/** Resolves when the stream's shards can be listed, or the signal is aborted. */
export async function waitForStream(options: RetryOptions, stream: StreamId): Promise<void> {
  const { clock, emit, signal } = options;
  for (let attempt = 0; !signal.aborted; attempt += 1) {
    try {
      await listShards(options, stream, { type: "AT_LATEST" });
      return;
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof StreamNotFound)) throw error;
      if (attempt === 0) emit({ type: "waitingForStream", message: error.message });
      await clock.sleep(backoffMs(attempt, BACKOFF), signal);
    }
  }
}
