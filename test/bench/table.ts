// A Markdown table of medians. It has a row for each case and daemon. If figures can be compared,
// another row compares the first daemon with the second.

import type { Figures, Result } from "./series.ts";

export interface Column {
  /** The name of the figure. */
  readonly figure: string;
  readonly title: string;
  readonly digits: number;
  /** Which direction is better. If absent, the figure is not compared. */
  readonly better?: "more" | "less";
}

/** @param rival the heading for what the results compare. */
export function markdownTable(
  results: readonly Result[],
  columns: readonly Column[],
  rival = "Daemon",
): string {
  const labelTitles = Object.keys(results[0]?.labels ?? {});
  const head = [...labelTitles, rival, ...columns.map(({ title }) => title)];
  const align = [...labelTitles.map(() => "--:"), "---", ...columns.map(() => "--:")];
  const rows = [...groupBy(results, ({ labels }) => JSON.stringify(labels)).values()].flatMap(
    (group) => rowsOf(group, columns),
  );
  return [head, align, ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function rowsOf(results: readonly Result[], columns: readonly Column[]): string[][] {
  const labels = Object.values(results[0]?.labels ?? {}).map(String);
  const medians = [...groupBy(results, ({ daemon }) => daemon)].map(([daemon, runs]) => ({
    daemon,
    figures: medianFigures(runs.flatMap(({ figures }) => (figures ? [figures] : []))),
  }));
  const rows = medians.map(({ daemon, figures }) => [
    ...labels,
    daemon,
    ...columns.map(({ figure, digits }) => format(figures[figure], digits)),
  ]);
  const [ours, other] = medians;
  if (ours && other && columns.some(({ better }) => better)) {
    const times = columns.map((column) => comparison(column, ours.figures, other.figures));
    rows.push([...labels, `**${ours.daemon} is better by**`, ...times]);
  }
  return rows;
}

function comparison({ figure, better }: Column, ours: Figures, other: Figures): string {
  const [mine, theirs] = [ours[figure], other[figure]];
  if (!better || !mine || !theirs || mine < 0 || theirs < 0) return "";
  return `**× ${format(better === "more" ? mine / theirs : theirs / mine, 1)}**`;
}

function medianFigures(runs: readonly Figures[]): Figures {
  const names = new Set(runs.flatMap((figures) => Object.keys(figures)));
  return Object.fromEntries(
    [...names].map((name) => [name, median(runs.flatMap((figures) => figures[name] ?? []))]),
  );
}

/**
 * Adds one figure to the results: the ratio to the rival of that name, by the medians of the same
 * case.
 */
export function besideFloor(
  results: readonly Result[],
  figure: string,
  floor: string,
): readonly Result[] {
  return results.map((result) => {
    const same = results.filter(
      ({ labels, daemon }) =>
        daemon === floor && JSON.stringify(labels) === JSON.stringify(result.labels),
    );
    const least = median(same.flatMap(({ figures }) => figures?.[figure] ?? []));
    const own = result.figures?.[figure];
    if (own === undefined) return result;
    return { ...result, figures: { ...result.figures, timesFloor: own / least } };
  });
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The value below which this share of the values lies, interpolated if necessary. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const place = share * (sorted.length - 1);
  const low = sorted[Math.floor(place)] ?? Number.NaN;
  const high = sorted[Math.ceil(place)] ?? Number.NaN;
  return low + (high - low) * (place - Math.floor(place));
}

function format(value: number | undefined, digits: number): string {
  if (value === undefined || Number.isNaN(value)) return "–";
  return value.toLocaleString("en-US", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

export function groupBy<T>(values: readonly T[], keyOf: (value: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const value of values) {
    const key = keyOf(value);
    groups.set(key, [...(groups.get(key) ?? []), value]);
  }
  return groups;
}
