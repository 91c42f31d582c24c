// Rows of the lease table that cannot be read as leases. At start such a row means that the table serves another purpose.
// Later somebody has damaged it: the shard has no reader until it is mended, and the others go on.

import type { Emit } from "../events.ts";
import { UserError } from "../model/errors.ts";
import type { LeaseTableError, Scan } from "./table.ts";

export class UnreadableRows {
  readonly #emit: Emit;
  readonly #retryInMs: number;
  #told: ReadonlySet<string> = new Set();

  /** @param retryInMs when they are looked at again, at the latest. */
  constructor(emit: Emit, retryInMs: number) {
    this.#emit = emit;
    this.#retryInMs = retryInMs;
  }

  /**
   * Tells each once, until it is mended.
   *
   * @throws UserError for one that is there at the start.
   */
  tell({ unreadable }: Scan, atStart: boolean): void {
    const [first] = unreadable;
    if (first && atStart) throw notALeaseTable(first.error);
    for (const { shardId, error } of unreadable) {
      if (this.#told.has(shardId)) continue;
      const trouble = { service: "dynamodb", operation: "read lease", attempt: 1 } as const;
      const retryInMs = this.#retryInMs;
      this.#emit({ type: "serviceTrouble", ...trouble, shardId, error, retryInMs });
    }
    this.#told = new Set(unreadable.map(({ shardId }) => shardId));
  }
}

function notALeaseTable(error: LeaseTableError): UserError {
  return new UserError(
    `${error.message}: this is not the row of a lease. If the table serves another purpose, choose another applicationName (or tableName); if the row was damaged, mend or delete it.`,
    { cause: error },
  );
}
