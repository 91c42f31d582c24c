// What `top` shows of a running daemon: a view of its status server as lines of text. Pure.

import { shownShardId } from "../model/shardKey.ts";
import { columns, shortPosition, shortTime } from "../operator/columns.ts";
import { counted } from "../plural.ts";
import type { ShardRow, WholeView } from "../status/view.ts";

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

const HEADING = [
  "SHARD",
  "STATE",
  "LAG",
  "RATE",
  "RECORDS",
  "PID",
  "CPU",
  "MEM",
  "RESTARTS",
  "OWNER",
];
const NUMBERS = ["LAG", "RATE", "RECORDS", "PID", "CPU", "MEM", "RESTARTS"];
const TROUBLE = ["stuck", "restarting", "unowned"];
const MIB = 2 ** 20;
const ERRORS_SHOWN = 3;

/** As many shards as fit: those in trouble first, then those that are furthest behind. */
export function topLines(view: WholeView, size: Size): readonly string[] {
  const head = headLines(view);
  const tail = view.incidents
    .slice(-ERRORS_SHOWN)
    .map(({ at, level, message }) => `${at.slice(11, 19)} ${level} ${message}`);
  const room = Math.max(1, size.rows - head.length - tail.length - 5);
  const shown = view.shards.toSorted(byUrgency).slice(0, room);
  const align = HEADING.map((name) => (NUMBERS.includes(name) ? "right" : "left"));
  const more = view.shards.length - shown.length;
  return [
    ...head,
    "",
    ...columns([HEADING, ...shown.map(rowOf)], align),
    ...(more > 0 ? [`… and ${counted(more, "shard")} more`] : []),
    "",
    ...tail,
  ].map((line) => line.slice(0, size.columns));
}

function headLines({ application, time, ready, phase, reasons, totals, fleet }: WholeView) {
  const { streamName, applicationName, workerId } = application;
  const lag = totals.lagMs === null ? "-" : shortTime(totals.lagMs);
  const workers = fleet.workers
    .map(
      (worker) =>
        `${worker.workerId}${worker.isThis ? " (this)" : ""} ${worker.leases}${worker.alive ? "" : " silent"}`,
    )
    .join(", ");
  return [
    `${streamName}  ${applicationName}  worker ${workerId}  ${time.slice(11, 19)}  ${ready ? "ready" : `not ready: ${phase}`}`,
    ...reasons,
    `lag ${lag}  rate ${totals.recordsPerSecond}/s  ${totals.shardsHeld} of ${counted(fleet.leases, "shard")}  ${counted(totals.restarts, "restart")}  ${counted(totals.deadLetters, "dead letter")}`,
    `workers: ${workers || "not known yet"}`,
  ];
}

function byUrgency(a: ShardRow, b: ShardRow): number {
  const urgency = ({ state, lagMs, held }: ShardRow) =>
    TROUBLE.includes(state) ? Number.POSITIVE_INFINITY : held ? (lagMs ?? 0) : -1;
  const [first, second] = [urgency(a), urgency(b)];
  if (first !== second) return first > second ? -1 : 1;
  return a.shardId < b.shardId ? -1 : 1;
}

function rowOf(shard: ShardRow): readonly string[] {
  const { shardId, state, lagMs, held, recordsPerSecond, records, pid, restarts, owner } = shard;
  return [
    shownShardId(shardId),
    state,
    lagMs === null ? "-" : shortTime(lagMs),
    held ? `${recordsPerSecond}/s` : "-",
    held ? String(records) : shortPosition(shard.checkpoint ?? "-", false),
    shard.lanes ? counted(shard.lanes.length, "lane") : pid === null ? "-" : String(pid),
    shard.cpuPercent == null ? "-" : `${shard.cpuPercent} %`,
    shard.rssBytes === undefined ? "-" : `${Math.round(shard.rssBytes / MIB)} MiB`,
    held ? String(restarts) : "-",
    owner ?? "-",
  ];
}
