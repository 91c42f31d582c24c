// What is in a lease table: whose leases, and whether they cover the stream in order.

import { audit } from "../../leases/audit.ts";
import { contradictions } from "../../leases/contradictions.ts";
import { hasEnded } from "../../leases/lease.ts";
import type { Row } from "../../leases/rows.ts";
import type { Shard } from "../../model/shard.ts";
import { counted } from "../../plural.ts";
import { isLeaseRow, isStrangeRow, otherRows } from "../leaseLines.ts";
import { Lineage } from "../lineage.ts";
import { begunTooEarly } from "../planRules.ts";
import { type Finding, failed, ok, warning } from "./finding.ts";
import type { FleetFacts } from "./fleet.ts";

export function checkContent(
  rows: readonly Row[],
  fleet: FleetFacts,
  shards: readonly Shard[] | undefined,
): readonly Finding[] {
  const leases = leasesOf(rows);
  const owners = new Set(leases.flatMap(({ owner }) => owner ?? []));
  const ended = leases.filter(hasEnded).length;
  const summary =
    leases.length === 0
      ? "none yet; the first daemon makes them"
      : `${counted(leases.length, "lease")}, ${ended} ended, ${owners.size === 0 ? "nobody's" : `in the name of ${counted(owners.size, "worker")}`}`;
  return [
    ok("leases", [summary, ...otherRows(rows.filter((row) => !isStrangeRow(row)))].join("\n")),
    ok("written by", fleet.writtenBy),
    ...(fleet.mode ? [fleet.mode] : []),
    ...strangeRows(rows),
    ...(leases.length > 0 && shards ? coverage(rows, shards) : []),
  ];
}

function strangeRows(rows: readonly Row[]): readonly Finding[] {
  const strange = rows.filter(isStrangeRow);
  if (strange.length === 0) return [];
  const text = strange.map(({ problem }) => problem).join("\n");
  return [
    failed(
      "foreign rows",
      `${counted(strange.length, "row that is no lease, and does", "rows that are no leases, and do")} not say what else:\n${text}`,
      "Is it another application's table? Then choose another tableName. If a row was edited by hand, mend or delete it; Java workers stop at it.",
    ),
  ];
}

function coverage(rows: readonly Row[], shards: readonly Shard[]): readonly Finding[] {
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
  const hole = audit(undefined, leases, shards)?.hole;
  return [
    hole
      ? failed(
          "coverage",
          `no lease covers the hash keys from ${hole.fromHashKey} to ${hole.toHashKey}: nobody reads their records`,
          "A running daemon repairs this in about six minutes, one that is started now within seconds. If a row was deleted by hand: checkpoints reset --shard ID --to trim-horizon (or a time) makes its lease.",
        )
      : ok("coverage", "the leases cover every hash key"),
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

export function leasesOf(rows: readonly Row[]) {
  return rows.filter(isLeaseRow).map(({ lease }) => lease);
}
