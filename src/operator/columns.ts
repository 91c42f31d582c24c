// Formats rows of cells as lines with aligned columns.

export type Align = "left" | "right";

/**
 * @param rows the heading first, if there is one.
 * @param align for each column; left where absent.
 */
export function columns(
  rows: readonly (readonly string[])[],
  align: readonly Align[] = [],
): readonly string[] {
  const count = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: count }, (_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return align[column] === "right" ? cell.padStart(width) : cell.padEnd(width);
      })
      .join("  ")
      .trimEnd(),
  );
}

/**
 * Shortens a sequence number to its last 14 digits, which differ most. Other positions stay as they
 * are.
 */
export function shortPosition(position: string, wide = false): string {
  return wide ? position : position.replace(/^\d+(?=\d{14}(#|$))/, "…");
}

/** `830 ms`, `4.2 s`, `12 min`, `3 h`, `5 d`: rounded for people. */
export function shortTime(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${Math.round(ms / 60_000)} min`;
  if (ms < 172_800_000) return `${Math.round(ms / 3_600_000)} h`;
  return `${Math.round(ms / 86_400_000)} d`;
}
