// What the user sees: the live view while words are counted, and the comparison at the end.

import type { ShardProgress } from "./progress.ts";

/** How often each word occurred. */
export type WordCounts = ReadonlyMap<string, number>;

export interface Situation {
  readonly title: string;
  readonly elapsedMs: number;
  readonly put: number;
  readonly shards: ReadonlyMap<string, ShardProgress>;
  readonly counted: WordCounts;
}

const COLUMNS = ["shard", "child", "position", "lag", "records", "state"] as const;

/** The whole view for a terminal, one string for each line. */
export function liveView({ title, elapsedMs, put, shards, counted }: Situation): string[] {
  const rows = [...shards]
    .sort(byName)
    .map(([shardId, shard]) => [
      shardId,
      shard.pid === undefined ? "-" : String(shard.pid),
      shorten(shard.position),
      shard.lagMs === undefined ? "-" : `${shard.lagMs} ms`,
      String(shard.records),
      shard.state,
    ]);
  return [
    `${title}   ${(elapsedMs / 1000).toFixed(1)} s`,
    "",
    ...table([[...COLUMNS], ...rows]),
    "",
    totals(put, shards, counted),
  ];
}

/** The same for a log: totals, and a line for each shard. */
export function plainView({ elapsedMs, put, shards, counted }: Situation): string {
  const each = [...shards]
    .sort(byName)
    .map(
      ([shardId, { pid, records, lagMs, position }]) =>
        `${shardId} pid=${pid ?? "-"} at=${shorten(position)} lag=${lagMs ?? "-"}ms records=${records}`,
    );
  return `${(elapsedMs / 1000).toFixed(1)} s  ${totals(put, shards, counted)}\n${each.map((line) => `  ${line}`).join("\n")}`;
}

/** A table of the words put and counted; differences are marked. */
export function comparison(put: WordCounts, counted: WordCounts): string[] {
  const words = [...new Set([...put.keys(), ...counted.keys()])].sort();
  const rows = words.map((word) => {
    const [wanted, got] = [put.get(word) ?? 0, counted.get(word) ?? 0];
    return [word, String(wanted), String(got), wanted === got ? "" : "<- differs"];
  });
  const sum = (counts: WordCounts) => String([...counts.values()].reduce((a, b) => a + b, 0));
  return table([["word", "put", "counted", ""], ...rows, ["total", sum(put), sum(counted), ""]]);
}

/** Lines with aligned columns; numbers are aligned to the right. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return /^[\d.]+( ms)?$/.test(cell) ? cell.padStart(width) : cell.padEnd(width);
      })
      .join("  ")
      .trimEnd(),
  );
}

function totals(
  put: number,
  shards: ReadonlyMap<string, ShardProgress>,
  counted: WordCounts,
): string {
  const delivered = [...shards.values()].reduce((sum, { records }) => sum + records, 0);
  const words = [...counted]
    .sort(byName)
    .map(([word, count]) => `${word} ${count}`)
    .join("  ");
  return `put ${put}   delivered ${delivered}   counted: ${words || "none yet"}`;
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Sequence numbers differ only at their end. A position such as TRIM_HORIZON is not shortened. */
function shorten(position: string): string {
  return position.length > 16 ? `…${position.slice(-12)}` : position || "-";
}
