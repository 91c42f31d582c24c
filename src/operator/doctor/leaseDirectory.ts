// Checks the directory in which the leases are, where there is no lease table: whether it can be
// used, whether a daemon has it, and whether its leases cover the stream.

import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { dirname } from "node:path";
import { systemClock } from "../../clock.ts";
import type { Settings } from "../../config/settings.ts";
import { contradictions } from "../../leases/decisions/contradictions.ts";
import { LeaseDirectory } from "../../leases/file/leaseDirectory.ts";
import { hasEnded } from "../../leases/lease.ts";
import { leaseRows } from "../../leases/table/rows.ts";
import type { Shard } from "../../model/shard.ts";
import { leasesIn } from "../rowKinds.ts";
import { errorText, type Finding, failed, ok } from "./finding.ts";
import { checkContent } from "./leaseContent.ts";
import type { TableCheck } from "./leaseTable.ts";

const CHECK = "lease directory";
const WRITTEN_BY = { writtenBy: "this daemon" };

export async function checkLeaseDirectory(
  path: string,
  settings: Settings,
  shards: readonly Shard[] | undefined,
  signal: AbortSignal,
): Promise<TableCheck> {
  const directory = new LeaseDirectory(path, settings.tableName, systemClock);
  try {
    const found = await directory.readSnapshot();
    if (!found) return { findings: [await checkPlace(directory.name)] };
    const state = (await directory.isHeld())
      ? `${directory.name} is in use by a running daemon (process ${found.pid})`
      : `${directory.name} is free: no daemon uses it`;
    const rows = await leaseRows(directory).scan(signal);
    const leases = leasesIn(rows);
    const bad = new Set(contradictions(leases, shards ?? []).map(({ shardId }) => shardId));
    return {
      findings: [ok(CHECK, state), ...checkContent(rows, WRITTEN_BY, shards, settings)],
      unfinished: leases.filter((lease) => !hasEnded(lease)).length,
      placed: leases.filter(({ shardId }) => !bad.has(shardId)),
    };
  } catch (error) {
    return { findings: [failed(CHECK, errorText(error))] };
  }
}

/** Whether the directory can be created, or written to if it exists without leases. */
async function checkPlace(path: string): Promise<Finding> {
  for (let place = path; ; place = dirname(place)) {
    try {
      await access(place, constants.W_OK | constants.X_OK);
      return ok(CHECK, `${path} has no leases yet; the daemon creates them`);
    } catch (error) {
      const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
      if (isMissing && place !== dirname(place)) continue;
      const remedy = "Create the directory, and make this user its owner.";
      return failed(CHECK, `${path} cannot be used (${errorText(error)})`, remedy);
    }
  }
}
