// Prints every checkpoint in full, with its owner and the parent and child shards.

import { formatPosition } from "../model/position.ts";
import { plainShardId, shownShardId } from "../model/shardKey.ts";
import { columns } from "./columns.ts";
import { explainTable } from "./explainErrors.ts";
import { otherRows } from "./leaseLines.ts";
import { leasesIn } from "./rowKinds.ts";
import { openTarget, type TargetOptions } from "./target.ts";

export interface ShowOptions extends TargetOptions {
  /** Only these shards; all shards when empty. */
  readonly shard: readonly string[];
  readonly json: boolean;
}

/** @throws UserError when the table does not exist or cannot be read. */
export async function showCheckpoints(options: ShowOptions, signal: AbortSignal): Promise<string> {
  const target = await openTarget(options);
  try {
    const rows = await target.rows.scan(signal, true);
    const leases = leasesIn(rows)
      .filter(({ shardId }) => options.shard.length === 0 || isAsked(shardId, options.shard))
      .toSorted((a, b) => (a.shardId < b.shardId ? -1 : 1));
    if (options.json) {
      const { tableName } = target.rows;
      return JSON.stringify({ tableName, leases, notes: otherRows(rows) }, null, 2);
    }
    const cells = leases.map((lease) => [
      shownShardId(lease.shardId),
      formatPosition(lease.checkpoint),
      lease.owner ?? "-",
      lease.parentShardIds.map(plainShardId).join(", ") || "-",
      lease.childShardIds.map(plainShardId).join(", ") || "-",
    ]);
    const heading = ["SHARD", "CHECKPOINT", "OWNER", "PARENTS", "CHILDREN"];
    return [
      `Checkpoints in ${target.where}`,
      "",
      ...(cells.length > 0 ? columns([heading, ...cells]) : ["No leases."]),
      ...otherRows(rows).flatMap((note) => ["", note]),
    ].join("\n");
  } catch (error) {
    throw explainTable(error);
  } finally {
    target.close();
  }
}

/** A shard may be named with its stream or without it. */
function isAsked(key: string, asked: readonly string[]): boolean {
  return [key, plainShardId(key), shownShardId(key)].some((id) => asked.includes(id));
}
