// Checks the rows of a lease table: who owns the leases, and whether they cover the stream in
// order.

import type { Settings } from "../../config/settings.ts";
import { audit, unreadShards } from "../../leases/decisions/audit.ts";
import { contradictions } from "../../leases/decisions/contradictions.ts";
import { missingLeases, trackedShards } from "../../leases/decisions/sync.ts";
import { hasEnded, type Lease } from "../../leases/lease.ts";
import type { Row } from "../../leases/table/rows.ts";
import type { Shard } from "../../model/shard.ts";
import { parseStreamShard } from "../../model/shardKey.ts";
import { counted } from "../../plural.ts";
import { otherRows } from "../leaseLines.ts";
import { Lineage } from "../lineage.ts";
import { begunTooEarly } from "../planRules.ts";
import { isUnknownRow, leasesIn } from "../rowKinds.ts";
import { type Finding, failed, ok, warning } from "./finding.ts";
import type { FleetFacts } from "./fleet.ts";

export function checkContent(
  rows: readonly Row[],
  fleet: FleetFacts,
  shards: readonly Shard[] | undefined,
  settings: SyncSettings,
): readonly Finding[] {
  const leases = leasesIn(rows);
  const otherMode = leasesOfOtherMode(leases, settings);
  const owners = new Set(leases.flatMap(({ owner }) => owner ?? []));
  const ended = leases.filter(hasEnded).length;
  const summary =
    leases.length === 0
      ? "no leases yet; the first daemon creates them"
      : `${counted(leases.length, "lease")}, ${ended} ended, ${owners.size === 0 ? "without an owner" : `owned by ${counted(owners.size, "worker")}`}`;
  return [
    ok("leases", [summary, ...otherRows(rows.filter((row) => !isUnknownRow(row)))].join("\n")),
    ok("written by", fleet.writtenBy),
    ...(fleet.mode ? [fleet.mode] : []),
    ...unknownRows(rows),
    ...otherMode,
    ...(leases.length > 0 && otherMode.length === 0 && shards
      ? coverage(rows, shards, settings)
      : []),
  ];
}

/** Leases of an application that reads several streams, where this one reads one, or vice versa. */
function leasesOfOtherMode(
  leases: readonly Lease[],
  { streams }: Pick<SyncSettings, "streams">,
): readonly Finding[] {
  const isMultiStream = streams !== undefined;
  const other = leases.filter(
    ({ shardId }) => (parseStreamShard(shardId) !== undefined) !== isMultiStream,
  );
  if (other.length === 0) return [];
  const text = other.map(({ shardId }) => shardId).join("\n");
  return [
    isMultiStream
      ? failed(
          "foreign rows",
          `the table has leases of one stream, and this application reads several:\n${text}`,
          "The daemon does not start with this table. To keep the checkpoints, stop all workers and run checkpoints migrate --stream NAME. Otherwise choose another applicationName or tableName.",
        )
      : failed(
          "foreign rows",
          `the table belongs to an application that reads several streams (KCL's multi-stream mode):\n${text}`,
          "The daemon does not start with this table, because it would take the leases of that application. Choose another applicationName or tableName, or list all its streams in streamName.",
        ),
  ];
}

function unknownRows(rows: readonly Row[]): readonly Finding[] {
  const unknown = rows.filter(isUnknownRow);
  if (unknown.length === 0) return [];
  const text = unknown.map(({ problem }) => problem).join("\n");
  return [
    failed(
      "foreign rows",
      `${counted(unknown.length, "row is", "rows are")} neither a lease nor marked as anything else:\n${text}`,
      "If the table belongs to another application, choose another tableName. If somebody edited a row by hand, correct or delete it: Java workers fail on such a row.",
    ),
  ];
}

/** The settings that shard sync uses. */
export type SyncSettings = Pick<
  Settings,
  "initialPosition" | "ignoreUnexpectedChildShards" | "streams"
>;

function coverage(
  rows: readonly Row[],
  shards: readonly Shard[],
  settings: SyncSettings,
): readonly Finding[] {
  const leases = leasesIn(rows);
  const listed = new Set(shards.map(({ shardId }) => shardId));
  const unlisted = leases.filter(({ shardId }) => !listed.has(shardId));
  if (unlisted.length === leases.length) {
    return [
      failed(
        "coverage",
        `none of the ${counted(leases.length, "lease")} is for a shard that the stream lists`,
        "The table belongs to another stream, or the stream was deleted and created again. In the first case, choose another applicationName or tableName. In the second case, stop all workers and run checkpoints reset --to trim-horizon, which creates the leases anew.",
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
            `${counted(foreign.length, "lease contradicts", "leases contradict")} the stream's list of shards:\n${foreign.join("\n")}`,
            "The stream was deleted and created again, or somebody edited rows. Stop all workers and run checkpoints reset --to trim-horizon (or a time), which creates the leases anew.",
          ),
        ]
      : []),
    ...(early.length > 0
      ? [
          warning(
            "order",
            `reading of ${early.join(", ")} began before the parent shards were finished, so records may be processed out of order`,
            "Run checkpoints reset, which moves these shards back together with their parents.",
          ),
        ]
      : []),
  ];
}

/** Whether every shard has a lease, and what a daemon does about those that have none. */
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
  if (!hole && overdue.length === 0) return ok("coverage", "the leases cover all hash keys");
  const missing = (hole ? create : overdue).map(({ shardId }) => shardId);
  const what = hole
    ? `no lease covers the hash keys from ${hole.fromHashKey} to ${hole.toHashKey}, so no worker reads their records`
    : "shards that have to be read have no lease";
  if (missing.length > 0) {
    const when =
      overdue.length > 0
        ? "A running daemon creates their leases within seconds."
        : "A running daemon creates their leases in about six minutes. A daemon that you start now creates them within seconds.";
    const remedy = `${when} You can also create them yourself: checkpoints reset --shard ID --to trim-horizon (or a time).`;
    return failed("coverage", `${what}\nwithout a lease: ${missing.join(", ")}`, remedy);
  }
  const unread = hole ? unreadShards(hole, leases, shards) : [];
  return failed(
    "coverage",
    [what, ...(unread.length > 0 ? [`their rows are wrong: ${unread.join(", ")}`] : [])].join("\n"),
    "No daemon can repair this, because it does not overwrite a wrong row. Delete the row, and run checkpoints reset --shard ID --to trim-horizon (or a time). Without that command, a daemon later creates the lease at initialPositionInStream.",
  );
}
