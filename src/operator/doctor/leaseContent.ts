// What is in a lease table: whose leases, and whether they cover the stream in order.

import type { Settings } from "../../config/settings.ts";
import { audit, unreadShards } from "../../leases/decisions/audit.ts";
import { contradictions } from "../../leases/decisions/contradictions.ts";
import { missingLeases, trackedShards } from "../../leases/decisions/sync.ts";
import { hasEnded, type Lease } from "../../leases/lease.ts";
import { parseLeaseKey } from "../../leases/leaseKey.ts";
import type { Row } from "../../leases/table/rows.ts";
import type { Shard } from "../../model/shard.ts";
import { counted } from "../../plural.ts";
import { isLeaseRow, isUnknownRow, otherRows } from "../leaseLines.ts";
import { Lineage } from "../lineage.ts";
import { begunTooEarly } from "../planRules.ts";
import { type Finding, failed, ok, warning } from "./finding.ts";
import type { FleetFacts } from "./fleet.ts";

export function checkContent(
  rows: readonly Row[],
  fleet: FleetFacts,
  shards: readonly Shard[] | undefined,
  settings: SyncSettings,
): readonly Finding[] {
  const leases = leasesOf(rows);
  const owners = new Set(leases.flatMap(({ owner }) => owner ?? []));
  const ended = leases.filter(hasEnded).length;
  const summary =
    leases.length === 0
      ? "none yet; the first daemon makes them"
      : `${counted(leases.length, "lease")}, ${ended} ended, ${owners.size === 0 ? "nobody's" : `in the name of ${counted(owners.size, "worker")}`}`;
  return [
    ok("leases", [summary, ...otherRows(rows.filter((row) => !isUnknownRow(row)))].join("\n")),
    ok("written by", fleet.writtenBy),
    ...(fleet.mode ? [fleet.mode] : []),
    ...strangeRows(rows),
    ...(leases.length > 0 && shards ? coverage(rows, shards, settings) : []),
  ];
}

function strangeRows(rows: readonly Row[]): readonly Finding[] {
  const strange = rows.filter(isUnknownRow);
  if (strange.length === 0) return [];
  const text = strange.map(({ problem }) => problem).join("\n");
  if (strange.some(({ key }) => parseLeaseKey(key).of === "streamShard")) {
    return [
      failed(
        "foreign rows",
        `the table belongs to an application that reads several streams (the multi-stream mode of KCL):\n${text}`,
        "The daemon does not start on it, since it would take that application's leases. Choose another applicationName or tableName.",
      ),
    ];
  }
  return [
    failed(
      "foreign rows",
      `${counted(strange.length, "row that is no lease, and does", "rows that are no leases, and do")} not say what else:\n${text}`,
      "Is it another application's table? Then choose another tableName. If a row was edited by hand, mend or delete it; Java workers stop at it.",
    ),
  ];
}

/** What shard sync goes by. */
export type SyncSettings = Pick<Settings, "initialPosition" | "ignoreUnexpectedChildShards">;

function coverage(
  rows: readonly Row[],
  shards: readonly Shard[],
  settings: SyncSettings,
): readonly Finding[] {
  const leases = leasesOf(rows);
  const listed = new Set(shards.map(({ shardId }) => shardId));
  const strangers = leases.filter(({ shardId }) => !listed.has(shardId));
  if (strangers.length === leases.length) {
    return [
      failed(
        "coverage",
        `none of the ${counted(leases.length, "lease")} is for a shard that the stream lists`,
        "The table is another stream's, or the stream was deleted and made anew. Choose another applicationName or tableName; or, if the stream was made anew, stop all workers, and checkpoints reset --to trim-horizon makes the leases anew.",
      ),
    ];
  }
  const foreign = contradictions(leases, shards).map(({ shardId, what }) => `${shardId}: ${what}`);
  const lineage = new Lineage(shards, leases);
  const early = begunTooEarly(leases, lineage);
  return [
    covered(rows, leases, shards, settings),
    ...(foreign.length > 0
      ? [
          failed(
            "places",
            `${counted(foreign.length, "lease")} cannot be about the stream as it is now:\n${foreign.join("\n")}`,
            "The stream was deleted and made anew, or rows were edited. Stop all workers, then: checkpoints reset --to trim-horizon (or a time) makes the leases anew.",
          ),
        ]
      : []),
    ...(early.length > 0
      ? [
          warning(
            "order",
            `${early.join(", ")} began before what they come of is finished: records can be out of order`,
            "checkpoints reset takes them back together.",
          ),
        ]
      : []),
  ];
}

/** Whether every shard has a reader, or what a daemon does about it. */
function covered(
  rows: readonly Row[],
  leases: readonly Lease[],
  shards: readonly Shard[],
  { initialPosition, ignoreUnexpectedChildShards }: SyncSettings,
): Finding {
  const hole = audit(undefined, leases, shards)?.hole;
  const damaged = rows.filter(isUnknownRow).map(({ key }) => ({ shardId: key }));
  const tracked = trackedShards(leases, damaged);
  const { create, overdue } = missingLeases(
    shards,
    tracked,
    initialPosition,
    ignoreUnexpectedChildShards,
  );
  if (!hole && overdue.length === 0) return ok("coverage", "the leases cover every hash key");
  const missing = (hole ? create : overdue).map(({ shardId }) => shardId);
  const what = hole
    ? `no lease covers the hash keys from ${hole.fromHashKey} to ${hole.toHashKey}: nobody reads their records`
    : "shards have no lease, though the rows show that they are to be read";
  if (missing.length > 0) {
    const when =
      overdue.length > 0
        ? "A running daemon creates their leases within seconds."
        : "A running daemon creates their leases in about six minutes, one that is started now within seconds.";
    const remedy = `${when} Or do it by hand: checkpoints reset --shard ID --to trim-horizon (or a time).`;
    return failed("coverage", `${what}\nwithout a lease: ${missing.join(", ")}`, remedy);
  }
  const unread = hole ? unreadShards(hole, leases, shards) : [];
  return failed(
    "coverage",
    [what, ...(unread.length > 0 ? [`their rows are wrong: ${unread.join(", ")}`] : [])].join("\n"),
    "No daemon can repair this: a row stands in the way. Delete it, and the lease is created anew within seconds; or checkpoints reset --shard ID --to trim-horizon (or a time).",
  );
}

export function leasesOf(rows: readonly Row[]) {
  return rows.filter(isLeaseRow).map(({ lease }) => lease);
}
