// Counts the shards that are written fast. Each call costs the daemon about the same, whatever it
// brings, so the more hot shards there are, the less often each of them is asked.

/** Rendered bytes. A shard at the service's write limit has ten times as much. */
const HOT_BYTES_PER_MS = 128;

export class HotShards {
  readonly #ids = new Set<string>();

  /** @returns the number of hot shards; 0 when this shard is not one of them. */
  measured(shardId: string, bytesPerMs: number): number {
    if (bytesPerMs < HOT_BYTES_PER_MS) this.#ids.delete(shardId);
    else this.#ids.add(shardId);
    return this.#ids.has(shardId) ? this.#ids.size : 0;
  }

  forget(shardId: string): void {
    this.#ids.delete(shardId);
  }
}
