// Leases of streams that this application does not read: of a stream that was taken out of
// `streamName`, or of a former stream of the same name. The worker leaves them as they are, so that
// a stream that is listed again continues at its checkpoints.

import type { Emit } from "../events.ts";
import { parseStreamShard } from "../model/shardKey.ts";
import type { Lease } from "./lease.ts";

export class OtherStreams {
  readonly #emit: Emit;
  #reported: ReadonlySet<string> = new Set();

  constructor(emit: Emit) {
    this.#emit = emit;
  }

  /**
   * Reports each stream once, until its leases are gone.
   *
   * @param leases those that a scan shows and that belong to none of the application's streams.
   */
  report(leases: readonly Lease[]): void {
    const counts = new Map<string, number>();
    for (const { shardId } of leases) {
      const streamId = parseStreamShard(shardId)?.streamId ?? "";
      counts.set(streamId, (counts.get(streamId) ?? 0) + 1);
    }
    for (const [streamId, count] of counts) {
      if (this.#reported.has(streamId)) continue;
      this.#emit({ type: "otherStreamSeen", streamId, leases: count });
    }
    this.#reported = new Set(counts.keys());
  }
}
