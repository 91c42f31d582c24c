// The end of the sample: what was put beside what was counted, and what the lease table remembers.

import { readCheckpoints } from "./checkpoints.ts";
import { readCounts } from "./counts.ts";
import type { Screen } from "./screen.ts";
import type { Stage } from "./stage.ts";
import { reckoning, table, type WordCounts } from "./view.ts";

/** How many of the daemon's complaints are shown. */
const MAX_COMPLAINTS = 20;

interface Outcome {
  /** The daemon's exit code, or the signal that ended it. */
  readonly exit: number | string;
  readonly tableName: string;
  readonly screen: Screen;
}

/** Prints the reckoning; true when all is as it should be. */
export async function judge(stage: Stage, { exit, tableName, screen }: Outcome): Promise<boolean> {
  const { counts: put } = stage.words;
  const counted = await readCounts(stage.countsFolder);
  const checkpoints = await readCheckpoints(stage.dynamoUrl, tableName);
  for (const line of ["", ...reckoning(put, counted), ""]) screen.say(line);
  const rows = checkpoints.map(({ shardId, checkpoint, owner }) => [shardId, checkpoint, owner]);
  for (const line of table([["shard", "checkpoint in the lease table", "owner"], ...rows])) {
    screen.say(line);
  }
  screen.say("");
  for (const complaint of stage.progress.complaints.slice(-MAX_COMPLAINTS)) screen.say(complaint);
  const problems = [
    ...(same(put, counted) ? [] : ["what was counted is not what was put"]),
    ...(exit === 0 ? [] : [`the daemon ended with ${exit}`]),
    ...(checkpoints.length > 0 ? [] : ["the lease table has no checkpoints"]),
  ];
  screen.say(problems.length === 0 ? "Every word was counted once." : problems.join("; "));
  return problems.length === 0;
}

function same(a: WordCounts, b: WordCounts): boolean {
  return a.size === b.size && [...a].every(([word, count]) => b.get(word) === count);
}
