// A plan as text for the terminal: before it is carried out, and its outcome.

import { UserError } from "../model/errors.ts";
import { formatPosition, type Position } from "../model/position.ts";
import { counted } from "../plural.ts";
import { columns } from "./columns.ts";
import type { HeldLease } from "./liveWorkers.ts";
import type { Plan } from "./planTypes.ts";

export function planText({ steps, unchanged, notes }: Plan, title: string): string {
  const rows = steps.map(({ shardId, now, to, why, anew, create }) => {
    const becomes = anew && !create ? "(deleted)" : shown(to);
    return [shardId, shown(now), becomes, why];
  });
  const rest =
    unchanged.length > 0
      ? [`${counted(unchanged.length, "lease stays unchanged", "leases stay unchanged")}.`]
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
  held: readonly HeldLease[],
  { fences, forced, yes }: { fences: boolean; forced: boolean; yes: boolean },
): string {
  const owners = [...new Set(held.map(({ owner }) => owner))];
  const each = owners.map((owner) => {
    const shards = held.filter((lease) => lease.owner === owner).map(({ shardId }) => shardId);
    return `  ${owner}: ${shards.join(", ")}`;
  });
  const what = `Live workers hold ${held.length} of these leases. They renewed their leases while this command watched:`;
  const advice = fences
    ? `${yes ? "" : "With --yes, "}--force takes these leases from them: at their next write the workers lose the leases, and can checkpoint no more. The worker that takes a lease next reads from the new checkpoint.`
    : `Nothing was written. Stop these workers first${forced ? ": --force cannot take away leases that have to be created anew" : ", or take the leases from them with --force"}.`;
  return [what, ...each, advice].join("\n");
}

function shown(position: Position | undefined): string {
  return position ? formatPosition(position) : "(no lease)";
}

/** The outcome of the command. */
export interface End {
  readonly outcome: "nothing to do" | "refused" | "dry run" | "written" | "stopped";
  readonly living?: readonly HeldLease[];
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
      return ["", "Nothing to do: every checkpoint is already as requested."];
    case "refused":
      return [];
    case "dry run":
      return ["", "This was a dry run: nothing was written. Add --yes to write."];
    case "stopped":
      return [
        `Stopped: ${stopped}. ${written} of ${counted(plan.steps.length, "lease")} written. They are written in an order in which no record is skipped or read out of order.`,
        "Stop the workers and run the command again, or run it with --force.",
        undo,
      ];
    case "written":
      return [
        `${counted(written, "lease")} written. The previous rows are saved in ${file}`,
        ...(early.length > 0
          ? [
              `Warning: workers changed leases at the same time, and reading of ${early.join(", ")} began before the parents are finished. Run the command again.`,
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
