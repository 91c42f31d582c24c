// A plan as people read it, before it is carried out and after.

import { UserError } from "../model/errors.ts";
import { formatPosition, type Position } from "../model/position.ts";
import { counted } from "../plural.ts";
import { columns } from "./columns.ts";
import type { Held } from "./living.ts";
import type { Plan } from "./plan.ts";

export function planText({ steps, unchanged, notes }: Plan, title: string): string {
  const rows = steps.map(({ shardId, now, to, why, anew, create }) => {
    const becomes = anew && !create ? "(removed)" : shown(to);
    return [shardId, shown(now), becomes, why];
  });
  const rest =
    unchanged.length > 0
      ? [`${counted(unchanged.length, "lease stays as it is", "leases stay as they are")}.`]
      : [];
  return [
    title,
    "",
    ...(rows.length > 0 ? [...columns([["SHARD", "NOW", "BECOMES", "WHY"], ...rows]), ""] : []),
    ...(steps.length > 0 ? rest : []),
    ...notes,
  ]
    .join("\n")
    .replace(/\n$/, "");
}

export function heldText(
  living: readonly Held[],
  { fences, forced, yes }: { fences: boolean; forced: boolean; yes: boolean },
): string {
  const owners = [...new Set(living.map(({ owner }) => owner))];
  const each = owners.map((owner) => {
    const shards = living.filter((held) => held.owner === owner).map(({ shardId }) => shardId);
    return `  ${owner}: ${shards.join(", ")}`;
  });
  const what = `${counted(living.length, "lease of these is", "leases of these are")} in the hands of living workers, which renewed while we watched:`;
  const advice = fences
    ? `${yes ? "They are" : "With --yes they are"} fenced off (--force): they lose these leases at their next write, checkpoint nothing more, and read on from the new place once somebody takes the leases.`
    : `Nothing is written. Stop these workers first${forced ? ": leases that are made anew cannot be fenced off" : ", or fence them off with --force"}.`;
  return [what, ...each, advice].join("\n");
}

function shown(position: Position | undefined): string {
  return position ? formatPosition(position) : "(no lease)";
}

/** How it ended. */
export interface End {
  readonly outcome: "nothing to do" | "refused" | "dry run" | "written" | "stopped";
  readonly living?: readonly Held[];
  readonly stopped?: string | undefined;
  readonly file?: string;
  readonly written?: number;
  readonly early?: readonly string[];
}

export function endText(
  { outcome, stopped, file, written = 0, early = [] }: End,
  plan: Plan,
): readonly string[] {
  const undo = `To undo: kinesis-multilang checkpoints restore ${file} -p FILE --yes`;
  switch (outcome) {
    case "nothing to do":
      return ["", "Nothing to do: every checkpoint is there already."];
    case "refused":
      return [];
    case "dry run":
      return ["", "This was a dry run: nothing was written. --yes writes it."];
    case "stopped":
      return [
        `Stopped: ${stopped}. ${written} of ${counted(plan.steps.length, "lease")} written, in an order in which nothing is lost or overtaken.`,
        "Stop the workers and run it again, or run it with --force.",
        undo,
      ];
    case "written":
      return [
        `${counted(written, "lease")} written. Saved before: ${file}`,
        ...(early.length > 0
          ? [
              `Warning: workers were at work meanwhile, and ${early.join(", ")} began before what they come of is finished. Run the command again.`,
            ]
          : []),
        undo,
      ];
  }
}

export function refusal(reasons: readonly string[]): UserError {
  return new UserError(
    reasons.length === 1
      ? `Nothing was written. ${reasons[0]}`
      : `Nothing was written:\n${reasons.map((reason) => `  ${reason}`).join("\n")}`,
  );
}
