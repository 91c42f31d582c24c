// How a child is told that its work ends, in two dialects: that of KCL 2.x (since 2.1) and that of KCL 1.x. Everything
// else is the same in both. A dialect is a table; `ChildDialect` is what a run knows about the one its children speak.
//
// With `auto` a run begins with KCL 2.x. A child that fails at an ending that no child has understood yet may not know
// that message, so the next dialect that does not have it is tried: see `misunderstood`. All children run the same
// program, so what is learned from one holds for all, also for those that run already: before their ending, the two
// dialects do not differ. If the guess was wrong (a 2.x child that crashed), the child fails at the other dialect's
// message too, and the first is back.

import type { DialectChoice, DialectName } from "../model/dialect.ts";
import type { CheckpointErrorName } from "../model/errors.ts";
import type { Action, DaemonMessage } from "./messages.ts";

export type Ending = Exclude<Action, "initialize" | "processRecords">;

type EndingMessage = Extract<DaemonMessage, { readonly action: Ending | "shutdown" }>;

export interface Dialect {
  readonly name: DialectName;
  readonly shardEnded: EndingMessage;
  readonly leaseLost: EndingMessage;
  /** `undefined`: nothing comes before `leaseLost`. */
  readonly shutdownRequested: EndingMessage | undefined;
  /** What a checkpoint is answered once the lease is gone. */
  readonly errorWithoutLease: CheckpointErrorName;
}

const KCL2: Dialect = {
  name: "kcl2",
  shardEnded: { action: "shardEnded" },
  leaseLost: { action: "leaseLost" },
  shutdownRequested: { action: "shutdownRequested" },
  errorWithoutLease: "InvalidStateException",
};

/** Before 1.7.6. */
const KCL1_WITHOUT_NOTICE: Dialect = {
  name: "kcl1",
  shardEnded: { action: "shutdown", reason: "TERMINATE" },
  leaseLost: { action: "shutdown", reason: "ZOMBIE" },
  shutdownRequested: undefined,
  errorWithoutLease: "ShutdownException",
};

const KCL1: Dialect = { ...KCL1_WITHOUT_NOTICE, shutdownRequested: KCL2.shutdownRequested };

export const DIALECTS: Readonly<Record<DialectName, Dialect>> = { kcl2: KCL2, kcl1: KCL1 };

const CANDIDATES: Readonly<Record<DialectChoice, readonly [Dialect, ...Dialect[]]>> = {
  kcl2: [KCL2],
  kcl1: [KCL1, KCL1_WITHOUT_NOTICE],
  auto: [KCL2, KCL1, KCL1_WITHOUT_NOTICE],
};

/** Which version of KCL does not have an ending's message. */
const UNKNOWN_TO: Readonly<Record<EndingMessage["action"], string>> = {
  shardEnded: "KCL 1.x",
  leaseLost: "KCL 1.x",
  shutdownRequested: "KCL before 1.7.6",
  shutdown: "KCL since 2.1",
};

export interface OtherDialect {
  readonly dialect: Dialect;
  /** The first try with it: a new child is worth it at once. */
  readonly isNew: boolean;
}

export class ChildDialect {
  readonly #candidates: readonly Dialect[];
  readonly #setting: string;
  readonly #understood = new Set<string>();
  readonly #tried: Set<Dialect>;
  #current: Dialect;

  /** @param setting how a user sets it, for advice: `childDialect = `. */
  constructor(choice: DialectChoice, setting = "childDialect = ") {
    const candidates = CANDIDATES[choice];
    this.#candidates = candidates;
    this.#setting = setting;
    this.#current = candidates[0];
    this.#tried = new Set([this.#current]);
  }

  get current(): Dialect {
    return this.#current;
  }

  /** A child did what the message asks for, or began to. */
  understood(message: string): void {
    if (isEndingMessage(message)) this.#understood.add(message);
  }

  /**
   * A child failed at an ending's message. Changes to the first dialect that does not have the message, unless a child has
   * understood it before.
   *
   * @returns the dialect for the next child; `undefined` when the failure says nothing about the dialect.
   */
  misunderstood(message: string): OtherDialect | undefined {
    if (!isEndingMessage(message)) return undefined;
    // Another child's failure was faster.
    if (!has(this.#current, message)) return { dialect: this.#current, isNew: true };
    const other = this.#otherThan(message);
    return other && { dialect: other, isNew: this.#changeTo(other) };
  }

  /**
   * A child called the sequence number of its checkpoint `checkpoint`, as clients did before KCL 1.7.2.
   *
   * @returns whether that is news, and the dialect has changed.
   */
  heardCheckpointMember(): boolean {
    const first = this.#candidates.find((dialect) => dialect === KCL1_WITHOUT_NOTICE);
    if (!first || this.#current === first || this.#understood.size > 0) return false;
    return this.#changeTo(first);
  }

  /** Whether silence after this message may mean that the child does not know it, and another dialect is worth a try. */
  isInDoubt(ending: Ending): boolean {
    const message = this.#current[ending]?.action;
    const other = message && this.#otherThan(message);
    return other !== undefined && !this.#tried.has(other);
  }

  /** What to tell the user whose child failed at this message, when nothing else is tried. */
  adviceAt(message: string): string | undefined {
    if (!isEndingMessage(message) || this.#understood.has(message)) return undefined;
    if (this.#otherThan(message)) return undefined;
    const name = this.#current.name === "kcl2" ? "kcl1" : "kcl2";
    return `${UNKNOWN_TO[message]} has no "${message}": if the processor was written for it, set ${this.#setting}${name}.`;
  }

  #otherThan(message: string): Dialect | undefined {
    if (this.#understood.has(message)) return undefined;
    return this.#candidates.find((dialect) => !has(dialect, message));
  }

  /** @returns whether it is tried for the first time. */
  #changeTo(dialect: Dialect): boolean {
    const isNew = !this.#tried.has(dialect);
    this.#current = dialect;
    this.#tried.add(dialect);
    return isNew;
  }
}

export function isEnding(action: string): action is Ending {
  return action === "shardEnded" || action === "leaseLost" || action === "shutdownRequested";
}

function isEndingMessage(message: string): message is EndingMessage["action"] {
  return Object.hasOwn(UNKNOWN_TO, message);
}

function has({ shardEnded, leaseLost, shutdownRequested }: Dialect, message: string): boolean {
  return [shardEnded, leaseLost, shutdownRequested].some((said) => said?.action === message);
}
