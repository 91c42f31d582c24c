// `checkpoints set`, `reset` and `restore`, from the request to what was written: look, plan, tell, watch for living
// workers, save, write, look again.

import type { Lease } from "../leases/lease.ts";
import type { LeaseRow } from "../leases/table/rows.ts";
import { UserError } from "../model/errors.ts";
import { type Backup, backupName, readBackup, type SavedShard, writeBackup } from "./backup.ts";
import { carryOut } from "./carryOut.ts";
import { describeDestination, parseDestination } from "./destination.ts";
import { isLeaseRow } from "./leaseLines.ts";
import { Lineage } from "./lineage.ts";
import { type Held, heldByTheLiving } from "./living.ts";
import { positionsToSet, viewAt } from "./moment.ts";
import { type Plan, planReset, planSet } from "./plan.ts";
import { begunTooEarly } from "./planRules.ts";
import { type End, endText, heldText, planText, refusal } from "./planText.ts";
import { planRestore } from "./restorePlan.ts";
import { openTarget, type Target, type TargetOptions, type TargetStream } from "./target.ts";
import { explainServices } from "./trouble.ts";

export interface MoveOptions extends TargetOptions {
  readonly yes: boolean;
  readonly force: boolean;
  /** Where to save the rows; absent = a name of its own in the working directory. */
  readonly backup?: string;
  readonly json: boolean;
}

export type Move =
  | { readonly type: "set" | "reset"; readonly to: string; readonly shards: readonly string[] }
  | { readonly type: "restore"; readonly file: string };

export interface MoveOutput {
  /** What people asked for. */
  readonly say: (text: string) => void;
  /** What goes on meanwhile. */
  readonly progress: (text: string) => void;
}

/** @returns the exit code: 1 when a living worker stands in the way, or somebody came between. */
export async function moveCheckpoints(
  move: Move,
  options: MoveOptions,
  output: MoveOutput,
  signal: AbortSignal,
): Promise<number> {
  const target = await openTarget(options);
  try {
    return await new Mover(move, target, options, output, signal).run();
  } catch (error) {
    throw explainServices(error);
  } finally {
    target.close();
  }
}

class Mover {
  readonly #move: Move;
  readonly #target: Target;
  readonly #options: MoveOptions;
  readonly #output: MoveOutput;
  readonly #signal: AbortSignal;
  #shards: readonly SavedShard[] = [];

  constructor(
    move: Move,
    target: Target,
    options: MoveOptions,
    output: MoveOutput,
    signal: AbortSignal,
  ) {
    this.#move = move;
    this.#target = target;
    this.#options = options;
    this.#output = output;
    this.#signal = signal;
  }

  async run(): Promise<number> {
    const planner = await this.#planner();
    const read = await this.#read();
    const plan = await planner(leasesOf(read));
    if (plan.refusals.length > 0) throw refusal(plan.refusals);
    const { yes, force, json } = this.#options;
    if (!json) this.#output.say(planText(plan, this.#title()));
    if (plan.steps.length === 0) return this.#end(plan, { outcome: "nothing to do" });
    const living = await this.#living(plan);
    // A living worker puts back the row of a lease that it holds.
    const fences = force && !plan.steps.some(({ anew }) => anew);
    if (living.length > 0 && !json) {
      this.#output.say(`\n${heldText(living, { fences, forced: force, yes })}`);
    }
    if (living.length > 0 && !fences) return this.#end(plan, { outcome: "refused", living });
    if (!yes) return this.#end(plan, { outcome: "dry run", living });
    // What has changed since the plan was made is overwritten only by force.
    return this.#write(plan, living, force ? await this.#read() : read);
  }

  async #read(): Promise<ReadonlyMap<string, LeaseRow>> {
    const rows = await this.#target.rows.scan(this.#signal, true);
    return new Map(rows.filter(isLeaseRow).map((row) => [row.key, row]));
  }

  /** What the person said is looked at before any service is asked. */
  async #planner(): Promise<(leases: readonly Lease[]) => Promise<Plan> | Plan> {
    const move = this.#move;
    if (move.type === "restore") {
      const backup = await this.#saved(move.file);
      this.#shards = backup.shards;
      return (leases) => planRestore(backup, leases);
    }
    const destination = parseDestination(move.to, this.#target.clock.now());
    const asked = move.shards.length > 0 ? [...new Set(move.shards)] : undefined;
    const source = this.#source();
    return async (leases) => {
      const { progress } = this.#output;
      const view = await viewAt(destination, asked, leases, source, progress, this.#signal);
      this.#shards = view.shards.map(({ shardId, parentShardIds, hashKeyRange }) => {
        return { shardId, parentShardIds, hashKeyRange };
      });
      return move.type === "reset" || !asked
        ? planReset(view)
        : planSet({ ...view, positions: positionsToSet(view, asked, destination), asked });
    };
  }

  async #saved(file: string): Promise<Backup> {
    const backup = await readBackup(file);
    const { tableName } = this.#target.rows;
    if (backup.tableName === tableName) return backup;
    throw new UserError(`${file} holds leases of table ${backup.tableName}, not of ${tableName}.`);
  }

  #source(): TargetStream {
    const { source } = this.#target;
    if (source) return source;
    throw new UserError("The stream must be known: use -p FILE.");
  }

  async #living(plan: Plan): Promise<readonly Held[]> {
    const shardIds = new Set(plan.steps.map(({ shardId }) => shardId));
    const seconds = (this.#target.failoverTimeMillis / 1_000).toFixed(0);
    this.#output.progress(`watching for living workers, for ${seconds} s at most`);
    return heldByTheLiving(shardIds, this.#target, this.#signal);
  }

  async #write(
    plan: Plan,
    living: readonly Held[],
    read: ReadonlyMap<string, LeaseRow>,
  ): Promise<number> {
    const { rows, clock } = this.#target;
    const now = new Date(clock.now());
    const file = this.#options.backup ?? backupName(rows.tableName, now);
    const touched = plan.steps.flatMap(({ shardId }) => read.get(shardId) ?? []);
    await writeBackup(file, {
      tableName: rows.tableName,
      savedAt: now.toISOString(),
      command: this.#title(),
      rows: touched,
      shards: this.#shards,
      made: plan.steps
        .filter(({ shardId }) => !read.has(shardId))
        .map(({ shardId, undo }) => ({ shardId, ...(undo && { undo }) })),
    });
    let written = 0;
    const wrote = () => {
      written += 1;
    };
    const { force } = this.#options;
    const options = { rows, read, force, signal: this.#signal, wrote };
    const stopped = await carryOut(plan, options);
    const early = stopped === undefined ? await this.#early() : [];
    return this.#end(plan, {
      outcome: stopped ? "stopped" : "written",
      stopped,
      living,
      file,
      written,
      early,
    });
  }

  /** Somebody may have been at work between our writes. */
  async #early(): Promise<readonly string[]> {
    const leases = leasesOf(await this.#read());
    return begunTooEarly(leases, new Lineage([], leases));
  }

  #end(plan: Plan, end: End): number {
    const { say } = this.#output;
    if (this.#options.json) say(JSON.stringify({ ...plan, ...end }, null, 2));
    else for (const line of endText(end, plan)) say(line);
    return end.outcome === "refused" || end.outcome === "stopped" || end.early?.length ? 1 : 0;
  }

  #title(): string {
    const move = this.#move;
    const { where } = this.#target;
    if (move.type === "restore") return `restore ${move.file}: ${where}`;
    const to = describeDestination(parseDestination(move.to, this.#target.clock.now()));
    const shards = move.shards.map((id) => ` --shard ${id}`).join("");
    return `${move.type} --to ${to}${shards}: ${where}`;
  }
}

function leasesOf(read: ReadonlyMap<string, LeaseRow>): readonly Lease[] {
  return [...read.values()].map(({ lease }) => lease);
}
