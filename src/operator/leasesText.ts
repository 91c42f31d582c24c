// The lease table as text, and as JSON.

import { shownShardId } from "../model/shardKey.ts";
import { counted } from "../plural.ts";
import { columns, shortPosition, shortTime } from "./columns.ts";
import type { Lag } from "./lag.ts";
import { type LeaseLine, STATE_MEANS, STATES } from "./leaseLines.ts";
import type { Renewal } from "./leaseWatch.ts";

export interface LeasesView {
  readonly lines: readonly LeaseLine[];
  /** Absent when the user did not ask for the lag. */
  readonly lags?: ReadonlyMap<string, Lag>;
  /** About rows that are not leases. */
  readonly notes: readonly string[];
  readonly wide: boolean;
}

export function leasesTable({ lines, lags, notes, wide }: LeasesView): readonly string[] {
  const heading = ["SHARD", "OWNER", "STATE", "CHECKPOINT", ...(lags ? ["LAG"] : [])];
  const rows = lines.map((line) => [
    shownShardId(line.shardId),
    ownerText(line),
    line.state,
    shortPosition(line.checkpoint, wide),
    ...(lags ? [lagText(lags.get(line.shardId))] : []),
    renewalText(line),
    String(line.counter),
  ]);
  const align = heading.map((name) => (name === "LAG" ? "right" : "left") as "left" | "right");
  return [
    ...columns([[...heading, "RENEWED", "COUNTER"], ...rows], [...align, "right", "right"]),
    "",
    summary(lines),
    ...notes,
    ...STATES.filter((state) => lines.some((line) => line.state === state)).map(explained),
  ];
}

/** Every state that a table may show, with its meaning. */
export function legend(): readonly string[] {
  return [
    ...STATES.map(explained),
    "RENEWED: the time since the last renewal; <2.0 s is less than 2 s, >2.0 s is more than 2 s, ? is not known yet",
  ];
}

function explained(state: keyof typeof STATE_MEANS): string {
  return `${state}: ${STATE_MEANS[state]}`;
}

/** `4 leases of 2 workers: 3 active, 1 ended.` */
export function summary(lines: readonly LeaseLine[]): string {
  const owners = new Set(lines.flatMap(({ owner }) => owner ?? []));
  const states = STATES.map((state) => ({
    state,
    count: lines.filter((line) => line.state === state).length,
  })).filter(({ count }) => count > 0);
  const counts = states.map(({ state, count }) => `${count} ${state}`).join(", ");
  if (lines.length === 0) return "No leases.";
  const whose = owners.size === 0 ? " without an owner" : ` of ${counted(owners.size, "worker")}`;
  return `${counted(lines.length, "lease")}${whose}: ${counts}.`;
}

/** One line for each change, for output that is not a terminal. */
export function leaseLineText(line: LeaseLine, lag: Lag | undefined): string {
  const { shardId, state, checkpoint, counter } = line;
  const behind =
    lag === undefined ? "" : ` lag=${typeof lag === "number" ? `${lag}ms` : `"${lag}"`}`;
  return `${shownShardId(shardId)} ${state} owner=${ownerText(line)} checkpoint=${checkpoint}${behind} counter=${counter}`;
}

export function leaseJson(line: LeaseLine, lag: Lag | undefined): Record<string, unknown> {
  const { shardId, owner, nextOwner, state, checkpoint, counter, renewal, waitsFor } = line;
  return {
    shardId,
    owner: owner ?? null,
    ...(nextOwner !== undefined && { nextOwner }),
    state,
    ...(waitsFor.length > 0 && { waitsFor }),
    checkpoint,
    ...(typeof lag === "number" && { lagMs: lag }),
    ...(typeof lag === "string" && { lagUnknown: lag }),
    renewedAtLeastMsAgo: renewal ? Math.round(renewal.atLeastMs) : null,
    renewedAtMostMsAgo: renewal?.atMostMs === undefined ? null : Math.round(renewal.atMostMs),
    counter,
    ownerSwitchesSinceCheckpoint: line.ownerSwitchesSinceCheckpoint,
  };
}

function ownerText({ owner, nextOwner }: LeaseLine): string {
  return nextOwner === undefined ? (owner ?? "-") : `${owner} -> ${nextOwner}`;
}

function lagText(lag: Lag | undefined): string {
  if (lag === undefined) return "-";
  return typeof lag === "number" ? shortTime(lag) : lag;
}

/** `<0.6 s`: renewed within that time. `>3.7 s`: not renewed since we began to watch. */
function renewalText({ owner, renewal }: LeaseLine): string {
  if (owner === undefined || renewal === undefined) return "-";
  return renewalBounds(renewal);
}

function renewalBounds({ atLeastMs, atMostMs }: Renewal): string {
  if (atMostMs !== undefined) return `<${shortTime(atMostMs)}`;
  return atLeastMs === 0 ? "?" : `>${shortTime(atLeastMs)}`;
}
