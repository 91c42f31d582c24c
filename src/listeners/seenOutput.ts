// Remembers whose STDERR was shown line by line as it came. An error about such a child does not quote
// it again: users read a traceback that appears twice as two failures.

import type { Event } from "../events.ts";

/** An error that quotes what a child wrote on STDERR, and has a message that does not. */
interface Quoting extends Error {
  readonly shardId: string;
  readonly withoutStderr: string;
}

export class SeenOutput {
  /** Shards whose child wrote faster than its lines are passed on. */
  readonly #incomplete = new Set<string>();

  hear(event: Event): void {
    if (event.type === "childStarted") this.#incomplete.delete(event.shardId);
    if (event.type === "childOutputDropped") this.#incomplete.add(event.shardId);
  }

  /** The error as it is to be shown where the lines were shown before. */
  unquoted(error: unknown): unknown {
    if (!isQuoting(error) || this.#incomplete.has(error.shardId)) return error;
    const { name, withoutStderr, cause } = error;
    return Object.assign(new Error(withoutStderr, { cause }), { name });
  }
}

function isQuoting(error: unknown): error is Quoting {
  return error instanceof Error && "withoutStderr" in error && "shardId" in error;
}
