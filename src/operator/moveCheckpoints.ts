// `checkpoints set`, `reset` and `restore` from the request to the result: read the leases, make a
// plan and print it, watch for live workers, save the rows, write, and check the leases again.

import type { Lease } from "../leases/lease.ts";
import type { LeaseRow, StrangeRow } from "../leases/table/rows.ts";
import { UserError } from "../model/errors.ts";
import { isInStream, plainShardId, shardKey } from "../model/shardKey.ts";
import { type Backup, backupName, readBackup, type SavedShard, writeBackup } from "./backup.ts";
import { carryOut } from "./carryOut.ts";
import { explainServices } from "./explainErrors.ts";
import { Lineage } from "./lineage.ts";
import { type HeldLease, heldByLiveWorkers } from "./liveWorkers.ts";
import { positionsToSet, viewAt } from "./moment.ts";
import { planReset, planSet } from "./plan.ts";
import { begunTooEarly } from "./planRules.ts";
import { type End, endText, heldText, planText, refusal } from "./planText.ts";
import type { Plan } from "./planTypes.ts";
import { planRestore } from "./restorePlan.ts";
import { isLeaseRow, isUnknownRow } from "./rowKinds.ts";
import { parseStartingPoint, startingPointText } from "./startingPoint.ts";
import { chooseStream, openTarget, type Target, type TargetOptions } from "./target.ts";

export interface MoveOptions extends TargetOptions {
  readonly yes: boolean;
  readonly force: boolean;
  /** Where to save the rows; a new file in the working directory when absent. */
  readonly backup?: string;
  readonly json: boolean;
  /** The stream whose checkpoints to move, where the application reads several. */
  readonly stream?: string;
}

export type Move =
  | { readonly type: "set" | "reset"; readonly to: string; readonly shards: readonly string[] }
  | { readonly type: "restore"; readonly file: string };

export interface MoveOutput {
  /** Prints the result. */
  readonly print: (text: string) => void;
  /** Prints what the command is doing. */
  readonly progress: (text: string) => void;
}

/** @returns the exit code: 1 when a live worker holds a lease, or another process interfered. */
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
    const { leases: read, damaged } = await this.#read();
    const plan = await planner(leasesOf(read));
    const refusals = [...plan.refusals, ...damagedAmong(plan, damaged)];
    if (refusals.length > 0) throw refusal(refusals);
    const { yes, force, json } = this.#options;
    if (!json) this.#output.print(planText(plan, this.#title()));
    if (plan.steps.length === 0) return this.#end(plan, { outcome: "nothing to do" });
    const held = await this.#liveWorkers(plan);
    // If the row of a held lease is deleted, its live worker writes it again. So --force cannot
    // overwrite the leases of live workers when leases are created anew.
    const fences = force && !plan.steps.some(({ anew }) => anew);
    if (held.length > 0 && !json) {
      this.#output.print(`\n${heldText(held, { fences, forced: force, yes })}`);
    }
    if (held.length > 0 && !fences) return this.#end(plan, { outcome: "refused", living: held });
    if (!yes) return this.#end(plan, { outcome: "dry run", living: held });
    // Only --force overwrites what has changed since the plan was made.
    return this.#write(plan, held, force ? (await this.#read()).leases : read);
  }

  async #read() {
    const rows = await this.#target.rows.scan(this.#signal, true);
    const leases = new Map(rows.filter(isLeaseRow).map((row) => [row.key, row]));
    return { leases, damaged: rows.filter(isUnknownRow) };
  }

  /** Checks the user's input before it asks any service. */
  async #planner(): Promise<(leases: readonly Lease[]) => Promise<Plan> | Plan> {
    const move = this.#move;
    if (move.type === "restore") {
      const backup = await this.#saved(move.file);
      this.#shards = backup.shards;
      return (leases) => planRestore(backup, leases);
    }
    const point = parseStartingPoint(move.to, this.#target.clock.now());
    const source = await chooseStream(this.#target, this.#options.stream, this.#signal);
    const { streamId } = source;
    const keys = move.shards.map((id) => shardKey(streamId, plainShardId(id)));
    const asked = keys.length > 0 ? [...new Set(keys)] : undefined;
    return async (all) => {
      const { progress } = this.#output;
      const leases = all.filter(({ shardId }) => isInStream(streamId, shardId));
      const view = await viewAt(point, asked, leases, source, progress, this.#signal);
      this.#shards = view.shards.map(({ shardId, parentShardIds, hashKeyRange }) => {
        return { shardId, parentShardIds, hashKeyRange };
      });
      return move.type === "reset" || !asked
        ? planReset(view)
        : planSet({ ...view, positions: positionsToSet(view, asked, point), asked });
    };
  }

  async #saved(file: string): Promise<Backup> {
    const backup = await readBackup(file);
    const { tableName } = this.#target.rows;
    if (backup.tableName === tableName) return backup;
    throw new UserError(
      `The backup ${file} holds leases of table ${backup.tableName}, not of ${tableName}. Name the properties file of that application.`,
    );
  }

  async #liveWorkers(plan: Plan): Promise<readonly HeldLease[]> {
    const shardIds = new Set(plan.steps.map(({ shardId }) => shardId));
    const seconds = (this.#target.failoverTimeMillis / 1_000).toFixed(0);
    this.#output.progress(`watching for live workers, for ${seconds} s at most`);
    return heldByLiveWorkers(shardIds, this.#target, this.#signal);
  }

  async #write(
    plan: Plan,
    held: readonly HeldLease[],
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
      living: held,
      file,
      written,
      early,
    });
  }

  /** Finds leases that workers changed between our writes. */
  async #early(): Promise<readonly string[]> {
    const leases = leasesOf((await this.#read()).leases);
    return begunTooEarly(leases, new Lineage([], leases));
  }

  #end(plan: Plan, end: End): number {
    const { print } = this.#output;
    if (this.#options.json) print(JSON.stringify({ ...plan, ...end }, null, 2));
    else for (const line of endText(end, plan)) print(line);
    return end.outcome === "refused" || end.outcome === "stopped" || end.early?.length ? 1 : 0;
  }

  #title(): string {
    const move = this.#move;
    const { where } = this.#target;
    if (move.type === "restore") return `restore ${move.file}: ${where}`;
    const to = startingPointText(parseStartingPoint(move.to, this.#target.clock.now()));
    const shards = move.shards.map((id) => ` --shard ${id}`).join("");
    return `${move.type} --to ${to}${shards}: ${where}`;
  }
}

/** A damaged row may still show a checkpoint, so only the user may delete it. */
function damagedAmong({ steps }: Plan, damaged: readonly StrangeRow[]): readonly string[] {
  return damaged
    .filter(({ key }) => steps.some(({ shardId }) => shardId === key))
    .map(
      ({ key, problem }) =>
        `The row of ${key} is damaged: ${problem}. Correct it; or write down what it contains, delete it, and run this command again.`,
    );
}

function leasesOf(read: ReadonlyMap<string, LeaseRow>): readonly Lease[] {
  return [...read.values()].map(({ lease }) => lease);
}
