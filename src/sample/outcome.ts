// The end of the sample: compares the words that were put with the counts, and shows the
// checkpoints.

import { readCheckpoints } from "./checkpoints.ts";
import type { Screen } from "./screen.ts";
import type { Setup } from "./setup.ts";
import { comparison, table, type WordCounts } from "./view.ts";

/** The number of the daemon's warnings that are shown. */
const MAX_WARNINGS = 20;

interface Outcome {
  /** The daemon's exit code, or the signal that ended it. */
  readonly exit: number | string;
  readonly tableName: string;
  readonly screen: Screen;
}

/**
 * Prints the comparison.
 *
 * @returns whether every word was counted once and the daemon ended well.
 */
export async function reportOutcome(
  setup: Setup,
  { exit, tableName, screen }: Outcome,
): Promise<boolean> {
  const { counts: put } = setup.words;
  const counted = await setup.counting.counts();
  const checkpoints = await readCheckpoints(setup.dynamoUrl, tableName);
  for (const line of ["", ...comparison(put, counted), ""]) screen.print(line);
  const rows = checkpoints.map(({ shardId, checkpoint, owner }) => [shardId, checkpoint, owner]);
  for (const line of table([["shard", "checkpoint in the lease table", "owner"], ...rows])) {
    screen.print(line);
  }
  screen.print("");
  for (const warning of setup.progress.warnings.slice(-MAX_WARNINGS)) screen.print(warning);
  const problems = [
    ...(same(put, counted) ? [] : ["The counts differ from the words that were put"]),
    ...(exit === 0 ? [] : [`The daemon ended with ${exit}`]),
    ...(checkpoints.length > 0 ? [] : ["The lease table has no checkpoints"]),
  ];
  screen.print(problems.length === 0 ? "Every word was counted once." : `${problems.join(". ")}.`);
  return problems.length === 0;
}

function same(a: WordCounts, b: WordCounts): boolean {
  return a.size === b.size && [...a].every(([word, count]) => b.get(word) === count);
}
