// Remembers which children's output on STDERR was logged line by line. An error about such a child
// does not quote it again, because users read a traceback that appears twice as two failures.

import type { Event } from "../events.ts";

/** An error that quotes a child's STDERR, and has another message that does not. */
interface Quoting extends Error {
  readonly shardId: string;
  readonly withoutStderr: string;
}

export class SeenOutput {
  /** Shards whose child wrote too fast, so that not all lines were logged. */
  readonly #incomplete = new Set<string>();

  saw(event: Event): void {
    if (event.type === "childStarted") this.#incomplete.delete(event.shardId);
    if (event.type === "childOutputDropped") this.#incomplete.add(event.shardId);
  }

  /** The error in the form for a log that already contains the child's output. */
  unquoted(error: unknown): unknown {
    if (!isQuoting(error) || this.#incomplete.has(error.shardId)) return error;
    const { name, withoutStderr, cause } = error;
    return Object.assign(new Error(withoutStderr, { cause }), { name });
  }
}

function isQuoting(error: unknown): error is Quoting {
  return error instanceof Error && "withoutStderr" in error && "shardId" in error;
}
