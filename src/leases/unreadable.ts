// Rows of the lease table that cannot be read as leases of this application. One that is about a shard was damaged: the
// shard has no reader until the row is mended, and the others go on. Any other means, at the start, that the table serves
// another purpose. Later it is only reported: this program writes to no row that it cannot read.

import type { Emit } from "../events.ts";
import { UserError } from "../model/errors.ts";
import { isShardKey } from "./leaseKey.ts";
import { LeaseTableError, type Scan, type UnreadableRow } from "./table.ts";

export class UnreadableRows {
  readonly #emit: Emit;
  readonly #retryInMs: number;
  #reported: ReadonlySet<string> = new Set();

  /** @param retryInMs when they are looked at again, at the latest. */
  constructor(emit: Emit, retryInMs: number) {
    this.#emit = emit;
    this.#retryInMs = retryInMs;
  }

  /**
   * Reports each once, until it is mended.
   *
   * @throws UserError for one that is there at the start, and is not about a shard of ours.
   */
  report({ unreadable }: Scan, atStart: boolean): void {
    const strange = unreadable.find((row) => !isDamaged(row));
    if (strange && atStart) throw notOurTable(strange);
    for (const row of unreadable) {
      if (this.#reported.has(row.shardId)) continue;
      const trouble = { service: "dynamodb", operation: "read lease", attempt: 1 } as const;
      const { shardId } = row;
      const error = withRemedy(row);
      this.#emit({
        type: "serviceTrouble",
        ...trouble,
        shardId,
        error,
        retryInMs: this.#retryInMs,
      });
    }
    this.#reported = new Set(unreadable.map(({ shardId }) => shardId));
  }
}

function isDamaged({ shardId, streamName }: UnreadableRow): boolean {
  return streamName === undefined && isShardKey(shardId);
}

function withRemedy(row: UnreadableRow): LeaseTableError {
  const { error: cause } = row;
  const remedy = isDamaged(row)
    ? "Nobody reads its shard until the row is mended. To begin the shard anew: delete the row, and a lease is created in its place"
    : "The row is left alone. If it is another application's, give this one a table of its own (applicationName or tableName)";
  return new LeaseTableError("unreadable", `${cause.message}. ${remedy}`, { cause });
}

function notOurTable({ error, streamName }: UnreadableRow): UserError {
  const what =
    streamName === undefined
      ? "this is not the row of a lease. If the table serves another purpose, choose another applicationName (or tableName); if the row was damaged, mend or delete it."
      : "the table belongs to an application that reads several streams (the multi-stream mode of KCL), and its workers would lose their leases to this one. Nothing was written. Choose another applicationName (or tableName).";
  return new UserError(`${error.message}: ${what}`, { cause: error });
}
