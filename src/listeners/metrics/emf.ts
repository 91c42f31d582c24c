// Statistics as lines in CloudWatch's embedded metric format. An agent or a log group turns them
// into metrics, so the daemon needs no permission and makes no calls.

import type { Statistic } from "./statistics.ts";

/** The format allows this number of values of one metric in a line. */
const VALUES_PER_LINE = 100;

/** Metrics with the same dimensions share a line. @returns lines with their line ends. */
export function emfLines(
  namespace: string,
  statistics: readonly Statistic[],
  nowMs: number,
): readonly string[] {
  const byDimensions = new Map<string, Statistic[]>();
  for (const each of statistics) {
    const key = each.dimensions.flat().join(" ");
    const same = byDimensions.get(key);
    if (same) same.push(each);
    else byDimensions.set(key, [each]);
  }
  return [...byDimensions.values()].flatMap((same) => linesOf(namespace, same, nowMs));
}

function linesOf(namespace: string, same: readonly Statistic[], nowMs: number): readonly string[] {
  const parts = same.map((statistic) => ({ statistic, chunks: chunksOf(statistic) }));
  const dimensions = same[0]?.dimensions ?? [];
  const number = Math.max(...parts.map(({ chunks }) => chunks.length));
  return Array.from({ length: number }, (_, index) => {
    const here = parts.flatMap(({ statistic: { name, unit }, chunks }) => {
      const values = chunks[index];
      return values ? [{ name, unit, values }] : [];
    });
    const directive = {
      Namespace: namespace,
      Dimensions: [dimensions.map(([name]) => name)],
      Metrics: here.map(({ name, unit }) => ({ Name: name, Unit: unit })),
    };
    const line = {
      _aws: { Timestamp: nowMs, CloudWatchMetrics: [directive] },
      ...Object.fromEntries(dimensions),
      ...Object.fromEntries(
        here.map(({ name, values }) => [name, values.length === 1 ? values[0] : values]),
      ),
    };
    return `${JSON.stringify(line)}\n`;
  });
}

/**
 * The format knows no statistic sets. These values have the same number, sum, minimum and maximum,
 * and are otherwise equal.
 */
export function valuesOf({
  sum,
  min,
  max,
  count,
}: Omit<Statistic, "name" | "unit" | "dimensions">) {
  if (count === 1) return [sum];
  const others = count - 2;
  return [min, max, ...Array.from({ length: others }, () => (sum - min - max) / others)];
}

function chunksOf(statistic: Statistic): readonly (readonly number[])[] {
  const values = valuesOf(statistic);
  const chunks: (readonly number[])[] = [];
  for (let from = 0; from < values.length; from += VALUES_PER_LINE) {
    chunks.push(values.slice(from, from + VALUES_PER_LINE));
  }
  return chunks;
}
