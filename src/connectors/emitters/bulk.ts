// What an answer of `_bulk` means for each of its items. Pure.

import type { EmitOutcome } from "../pipeline.ts";

/** The part of an answer that is read. */
export interface BulkAnswer {
  readonly items: readonly Readonly<Record<string, BulkResult>>[];
}

interface BulkResult {
  readonly status: number;
  readonly error?: { readonly type?: string; readonly reason?: string };
}

/** The target is busy, or a shard of its index is not there yet: the item is sent again. */
const BUSY = new Set([429, 502, 503, 504]);
const BUSY_TYPES =
  /es_rejected_execution|rejected_execution|circuit_breaking|unavailable_shards|process_cluster_event_timeout|no_shard_available|node_not_connected|timeout/;
const CONFLICT = 409;
const SERVER_ERROR = 500;

export type Verdict = "stored" | "again" | "refused" | "setup";

/**
 * @param isIdempotent the id names the record, and the document is only created, or has a version:
 *   a conflict means that it is stored already, or a newer one.
 */
export function verdictOf({ status, error }: BulkResult, isIdempotent: boolean): Verdict {
  const type = error?.type ?? "";
  if (status >= 200 && status < 300) return "stored";
  if (status === CONFLICT) return isIdempotent ? "stored" : "again";
  if (type.includes("cluster_block")) return status === 429 ? "again" : "setup";
  if (BUSY.has(status) || (status === SERVER_ERROR && BUSY_TYPES.test(type))) return "again";
  if (status === 401 || status === 403 || status === 404) return "setup";
  return status >= SERVER_ERROR ? "again" : "refused";
}

export interface BulkOutcome<U> extends EmitOutcome<U> {
  /** Why an operator has to act; these items are sent again. */
  readonly setup: string | undefined;
}

export function outcomeOf<U>(
  items: readonly U[],
  answer: BulkAnswer,
  isIdempotent: boolean,
): BulkOutcome<U> {
  const outcome: {
    again: EmitOutcome<U>["again"][number][];
    refused: EmitOutcome<U>["again"][number][];
  } = { again: [], refused: [] };
  let setup: string | undefined;
  for (const [index, item] of items.entries()) {
    const [result] = Object.values(answer.items[index] ?? {});
    const verdict = result ? verdictOf(result, isIdempotent) : "again";
    if (verdict === "stored") continue;
    const { status, error } = result ?? { status: 0, error: undefined };
    const reason = `${status} ${error?.type ?? "no answer"}: ${error?.reason ?? ""}`;
    if (verdict === "setup") setup ??= reason;
    outcome[verdict === "refused" ? "refused" : "again"].push({ item, reason });
  }
  return { ...outcome, setup };
}
