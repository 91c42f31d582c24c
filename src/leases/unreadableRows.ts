// Rows of the lease table that cannot be read as leases of this application. A row whose key is a
// shard id was damaged: nobody reads its shard until the row is corrected, and the other shards
// continue. Any other unreadable row means that the table serves another purpose: at the start the
// program ends, later the row is only reported. The daemon never writes to a row that it cannot
// read.

import type { Emit } from "../events.ts";
import { UserError } from "../model/errors.ts";
import { isShardKey, type KeyMode } from "./leaseKey.ts";
import { LeaseTableError, type Scan, type UnreadableRow } from "./table.ts";

export class UnreadableRows {
  readonly #emit: Emit;
  readonly #retryInMs: number;
  #reported: ReadonlySet<string> = new Set();

  /** @param retryInMs the longest time until the rows are read again. */
  constructor(emit: Emit, retryInMs: number) {
    this.#emit = emit;
    this.#retryInMs = retryInMs;
  }

  /**
   * Reports each row once, until it is corrected.
   *
   * @throws UserError at the start, for a row whose key is not a shard id.
   */
  report({ unreadable }: Scan, atStart: boolean): void {
    const foreign = unreadable.find((row) => !isDamaged(row));
    if (foreign && atStart) throw notOurTable(foreign);
    for (const row of unreadable) {
      if (this.#reported.has(row.shardId)) continue;
      if (isDamaged(row)) this.#reportDamaged(row);
      else this.#reportForeign(row);
    }
    this.#reported = new Set(unreadable.map(({ shardId }) => shardId));
  }

  #reportDamaged({ shardId, error }: UnreadableRow): void {
    const message =
      `${error.message}. Nobody reads its shard until the row is corrected. ` +
      "To read the shard from its oldest record, delete the row and run: " +
      `kinesis-multilang checkpoints reset --shard ${shardId} --to trim-horizon -p FILE --yes`;
    this.#emit({ type: "leasesContradicted", shardIds: [shardId], message });
  }

  #reportForeign({ shardId, error: cause }: UnreadableRow): void {
    const remedy =
      "The daemon does not change the row. If it belongs to another application, give this one its own table (applicationName or tableName)";
    this.#emit({
      type: "serviceTrouble",
      service: "dynamodb",
      operation: "read lease",
      scope: `row ${shardId}`,
      lasting: true,
      attempt: 1,
      shardId,
      error: new LeaseTableError("unreadable", `${cause.message}. ${remedy}`, { cause }),
      retryInMs: this.#retryInMs,
    });
  }
}

function isDamaged({ shardId, mode }: UnreadableRow): boolean {
  return mode === undefined && isShardKey(shardId);
}

function notOurTable({ error, mode }: UnreadableRow): UserError {
  const what = mode === undefined ? NOT_A_LEASE : OTHER_MODE[mode];
  return new UserError(`${error.message}: ${what}`, { cause: error });
}

const NOT_A_LEASE =
  "this is not the row of a lease. If the table serves another purpose, choose another applicationName (or tableName); if the row was damaged, correct or delete it.";

const OTHER_MODE: Readonly<Record<KeyMode, string>> = {
  singleStream:
    "the table has leases of one stream, and this application reads several. Nothing was written. To keep the checkpoints, stop all workers and run: kinesis-multilang checkpoints migrate -p FILE --stream NAME. Otherwise choose another applicationName (or tableName).",
  multiStream:
    "the table belongs to an application that reads several streams (the multi-stream mode of KCL), and its workers would lose their leases to this one. Nothing was written. Choose another applicationName (or tableName), or list all its streams in streamName.",
};
