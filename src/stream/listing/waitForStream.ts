// Waits for a stream that does not exist yet, when the user asked for that.

import { type FailedAttempt, retry } from "../../retry.ts";
import { StreamNotFound } from "../calls/readErrors.ts";
import type { RetryOptions } from "../calls/retried.ts";
import type { StreamId } from "../calls/streamId.ts";
import { listShards } from "./listShards.ts";

const BACKOFF = { baseMs: 1_000, capMs: 10_000 };

/** Resolves when the stream's shards can be listed, or the signal is aborted. */
export async function waitForStream(options: RetryOptions, stream: StreamId): Promise<void> {
  const { clock, emit, signal } = options;
  const policy = {
    clock,
    backoff: BACKOFF,
    mayPass: (error: unknown) => error instanceof StreamNotFound,
    onFailure: ({ error, attempt }: FailedAttempt) => {
      if (attempt > 1 || !(error instanceof Error)) return;
      emit({ type: "waitingForStream", message: error.message });
    },
  };
  await retry(() => listShards(options, stream, { type: "AT_LATEST" }), policy, signal);
}
