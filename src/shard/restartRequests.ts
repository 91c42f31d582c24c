// An operator's requests to replace the child of a shard. The child finishes its batch, may
// checkpoint and ends; a child that does not finish soon is given up. Its records since its last
// checkpoint are delivered again. It counts as no failure, so no record goes to the dead letters.

import type { RecordProcessor } from "../child/recordProcessor.ts";
import type { Clock } from "../clock.ts";

/** How long the child may take for each of its last answers. */
const PATIENCE_MS = 5_000;

export class RestartRequests {
  readonly #served = new Map<string, () => void>();

  /** @returns false when this worker has no child for the shard. */
  request(shardId: string): boolean {
    const restart = this.#served.get(shardId);
    restart?.();
    return restart !== undefined;
  }

  /** @param restart called at a request. */
  serve(shardId: string, restart: () => void): void {
    this.#served.set(shardId, restart);
  }

  end(shardId: string): void {
    this.#served.delete(shardId);
  }
}

/** Gives the child up when its restart is requested and an answer is late, until it has exited. */
export async function limitPatience(
  processor: RecordProcessor,
  requested: AbortSignal,
  clock: Clock,
): Promise<void> {
  const over = new AbortController();
  void processor.exited.finally(() => over.abort());
  if (!requested.aborted) {
    await new Promise<void>((resolve) => {
      for (const signal of [requested, over.signal]) {
        signal.addEventListener("abort", () => resolve(), { once: true });
      }
    });
  }
  while (!over.signal.aborted) {
    await clock.sleep(PATIENCE_MS, over.signal);
    processor.giveUp("did not answer within 5 s after an operator had requested its restart");
  }
}
