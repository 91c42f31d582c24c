// The messages at the end of a child's work, in two dialects: that of KCL 2.x (since 2.1) and that
// of KCL 1.x. All other messages are the same in both. A dialect is a table; `ChildDialect` holds
// what the application knows about the dialect of its children.
//
// With `auto` the application starts with KCL 2.x. A child that fails at an ending's message which
// no child has understood yet may not know that message. The daemon then tries the next dialect
// without it: see `misunderstood`. All children run the same program, so what one child shows holds
// for all of them, including those that are running: the dialects differ only in the endings. If
// the guess was wrong (a 2.x child that crashed), the child fails at the other dialect's message as
// well, and the daemon returns to the first dialect.

import type { DialectChoice, DialectName } from "../model/dialect.ts";
import type { CheckpointErrorName } from "../model/errors.ts";
import type { Action, DaemonMessage } from "./messages.ts";

export type Ending = Exclude<Action, "initialize" | "processRecords">;

type EndingMessage = Extract<DaemonMessage, { readonly action: Ending | "shutdown" }>;

export interface Dialect {
  readonly name: DialectName;
  readonly shardEnded: EndingMessage;
  readonly leaseLost: EndingMessage;
  /** `undefined`: the dialect has no message before `leaseLost`. */
  readonly shutdownRequested: EndingMessage | undefined;
  /** The error for a checkpoint after the lease is lost. */
  readonly errorWithoutLease: CheckpointErrorName;
}

const KCL2: Dialect = {
  name: "kcl2",
  shardEnded: { action: "shardEnded" },
  leaseLost: { action: "leaseLost" },
  shutdownRequested: { action: "shutdownRequested" },
  errorWithoutLease: "InvalidStateException",
};

/** KCL before 1.7.6. */
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

/** Which versions of KCL do not have the message. */
const UNKNOWN_TO: Readonly<Record<EndingMessage["action"], string>> = {
  shardEnded: "KCL 1.x",
  leaseLost: "KCL 1.x",
  shutdownRequested: "KCL before 1.7.6",
  shutdown: "KCL since 2.1",
};

export interface OtherDialect {
  readonly dialect: Dialect;
  /** It has not been tried before, so a new child should start at once. */
  readonly isNew: boolean;
}

export class ChildDialect {
  readonly #candidates: readonly Dialect[];
  readonly #setting: string;
  readonly #understood = new Set<string>();
  readonly #tried: Set<Dialect>;
  #current: Dialect;

  /** @param setting how the user sets the dialect, for error messages: `childDialect = `. */
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

  /** A child has done what the message requests, or has begun to. */
  understood(message: string): void {
    if (isEndingMessage(message)) this.#understood.add(message);
  }

  /**
   * A child failed at an ending's message. Changes to the first dialect without the message, unless
   * a child has understood the message before.
   *
   * @returns the dialect for the next child; `undefined` when the dialect is not the cause.
   */
  misunderstood(message: string): OtherDialect | undefined {
    if (!isEndingMessage(message)) return undefined;
    // Another child has failed at it before, and the dialect has changed already.
    if (!has(this.#current, message)) return { dialect: this.#current, isNew: true };
    const other = this.#otherThan(message);
    return other && { dialect: other, isNew: this.#changeTo(other) };
  }

  /**
   * A child named the sequence number of its checkpoint `checkpoint`, as clients before KCL 1.7.2
   * do.
   *
   * @returns whether the dialect has changed.
   */
  sawCheckpointMember(): boolean {
    const first = this.#candidates.find((dialect) => dialect === KCL1_WITHOUT_NOTICE);
    if (!first || this.#current === first || this.#understood.size > 0) return false;
    return this.#changeTo(first);
  }

  /**
   * Whether a child that does not answer may not know the message, and another dialect is left to
   * try.
   */
  isInDoubt(ending: Ending): boolean {
    const message = this.#current[ending]?.action;
    const other = message && this.#otherThan(message);
    return other !== undefined && !this.#tried.has(other);
  }

  /** Advice for the user whose child failed at this message, when no other dialect is tried. */
  adviceAt(message: string): string | undefined {
    if (!isEndingMessage(message) || this.#understood.has(message)) return undefined;
    if (this.#otherThan(message)) return undefined;
    const name = this.#current.name === "kcl2" ? "kcl1" : "kcl2";
    return `${UNKNOWN_TO[message]} has no message "${message}". If the processor was written for that version, set ${this.#setting}${name}.`;
  }

  #otherThan(message: string): Dialect | undefined {
    if (this.#understood.has(message)) return undefined;
    return this.#candidates.find((dialect) => !has(dialect, message));
  }

  /** @returns whether the dialect is tried for the first time. */
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
  return [shardEnded, leaseLost, shutdownRequested].some((each) => each?.action === message);
}
