// The talk with one child, without its pipes: whose turn it is, and what a line means just now. No I/O, no time.
//
// The daemon asks, the child answers: `ask(action)` takes the turn, `delivered()` says that the whole line went into
// the pipe, and every line of the child goes through `hear()`, at any time. The turn comes back with the one status
// that names the action. In between the child may ask for checkpoints, which do not end its turn:
//
//     ours ──ask──▶ delivering ──delivered──▶ theirs ──status──▶ ours   (or "over", after leaseLost and shardEnded)
//                                               │  ▲
//                                               └──┘ checkpoint, log, anything that is no message
//
// What `hear` answers is the whole contract with the caller:
//
//   done        the action is answered; the turn is ours.
//   checkpoint  to be answered before anything else is written. `may: "store"` only while the child is at records that
//               we hold the lease for; otherwise it is refused with InvalidStateException, as the Java daemon does.
//   log         a line for our log; it has no answer.
//   noise       to be skipped: blank, not a message, or a message that nobody waits for.
//   violation   the child broke its turn: it answered another action than it was asked. Nothing can be trusted after
//               that, for its next status might mean any batch; so all that follows is noise, and `ask` throws.
//
// Three things differ from the Java daemon, which reads a child's lines only while it waits for a status:
//
// - A status that comes while it is our turn, or before the child can have read its action to the end, is dropped. Java
//   takes it for the answer to the *next* action: a batch would count as processed before the child has seen it.
// - A checkpoint that comes then is answered then. Java answers it during the next action, when "the end of what was
//   delivered" already covers the batch that the child has yet to read. `upTo` tells the two apart.
// - A word that is odd but harmless (unknown properties, unknown actions) is told once and does not hang the shard.
//
// To add a message of the child: its schema in messages.ts, its coercions in readLine.ts, its meaning in `#understand`.

import type { Action, ChildMessage, LOG_LEVELS } from "./messages.ts";
import { readLine } from "./readLine.ts";
import type { CheckpointRequest } from "./recordProcessor.ts";

export type Heard =
  /** `last`: nothing may be asked any more. */
  | { readonly type: "done"; readonly last: boolean }
  | {
      readonly type: "checkpoint";
      readonly request: CheckpointRequest;
      readonly may: "store" | "refuse";
      /** What a request without a number means: the end of the batch at hand, or of what came before it. */
      readonly upTo: "current" | "previous";
      /** The sequence number was called `checkpoint`, as before KCL 1.7.2. */
      readonly byFirstName: boolean;
    }
  | { readonly type: "log"; readonly level: (typeof LOG_LEVELS)[number]; readonly message: string }
  | { readonly type: "noise"; readonly blank: boolean }
  | { readonly type: "violation"; readonly answered: string };

/** What was heard, and what a person should be told about it, once per kind. */
export type HeardLine = Heard & { readonly warning?: string };

interface Asked {
  readonly action: Action;
  /** The name of its message in the dialect of the child, which the status repeats. */
  readonly message: string;
}

type State =
  | { readonly type: "ours"; readonly last: Action | undefined }
  | (Asked & { readonly type: "delivering"; readonly last: Action | undefined })
  | (Asked & { readonly type: "theirs" })
  | { readonly type: "over" }
  | { readonly type: "broken"; readonly why: string };

const WORK: readonly Action[] = ["processRecords", "shutdownRequested", "leaseLost", "shardEnded"];

/** Per action: whether it may be answered with checkpoints first, the same once it is answered, and what may follow. */
const RULES = {
  initialize: { mayCheckpoint: false, mayAfter: true, next: WORK },
  processRecords: { mayCheckpoint: true, mayAfter: true, next: WORK },
  shutdownRequested: { mayCheckpoint: true, mayAfter: false, next: ["leaseLost", "shardEnded"] },
  leaseLost: { mayCheckpoint: false, mayAfter: false, next: [] },
  shardEnded: { mayCheckpoint: true, mayAfter: false, next: [] },
} satisfies Record<Action, { mayCheckpoint: boolean; mayAfter: boolean; next: readonly Action[] }>;

/** Kinds of oddities that one child is warned about; what it makes up beyond them goes untold. */
const WARNINGS_MAX = 32;

export class Conversation {
  #state: State = { type: "ours", last: undefined };
  readonly #warned = new Set<string>();

  /**
   * Takes the turn.
   *
   * @param message the name under which the child gets the action, if its dialect has one of its own.
   * @throws Error when it is not ours, or the action has no place here: a mistake of the caller.
   */
  ask(action: Action, message: string = action): void {
    const state = this.#state;
    const next: readonly Action[] = state.type !== "ours" ? [] : nextAfter(state.last);
    if (state.type !== "ours" || !next.includes(action)) {
      throw new Error(`"${action}" cannot be asked now: ${describe(state)}`);
    }
    this.#state = { type: "delivering", action, message, last: state.last };
  }

  /** The line of the action has left us to its last byte, so what is heard from now on may be the answer. */
  delivered(): void {
    if (this.#state.type === "delivering") {
      const { action, message } = this.#state;
      this.#state = { type: "theirs", action, message };
    }
  }

  /** Understands one line, without its end. It never throws. */
  hear(line: string): HeardLine {
    const read = readLine(line);
    switch (read.type) {
      case "blank":
        return { type: "noise", blank: true };
      case "junk": {
        const { looksLike } = read;
        if (looksLike === undefined) return NOISE;
        return { ...NOISE, ...this.#once(`a line was skipped that looks like ${looksLike}`) };
      }
      case "notForUs":
        return { ...NOISE, ...this.#once(`a message was skipped: ${read.why}`) };
      case "message": {
        const heard = this.#understand(read.message);
        if (read.unknownKeys.length === 0 || heard.warning !== undefined) return heard;
        return { ...heard, ...this.#once(ignoredKeys(read.message.action, read.unknownKeys)) };
      }
    }
  }

  #understand(message: ChildMessage): HeardLine {
    switch (message.action) {
      case "log":
        return { type: "log", level: message.level ?? "info", message: message.message };
      case "checkpoint":
        return this.#understandCheckpoint(
          {
            sequenceNumber: message.sequenceNumber ?? null,
            subSequenceNumber: message.subSequenceNumber ?? null,
          },
          message.checkpoint !== undefined,
        );
      case "status":
        return this.#understandStatus(message.responseFor);
    }
  }

  #understandStatus(responseFor: string): HeardLine {
    const state = this.#state;
    if (state.type !== "theirs") {
      const why = `a status for "${clip(responseFor)}" came while no answer was due, and was dropped; is it sent twice?`;
      return { ...NOISE, ...this.#once(why) };
    }
    if (responseFor !== state.message) {
      const answered = clip(responseFor);
      this.#state = { type: "broken", why: `it answered "${answered}" to "${state.message}"` };
      return { type: "violation", answered };
    }
    const last = RULES[state.action].next.length === 0;
    this.#state = last ? { type: "over" } : { type: "ours", last: state.action };
    return { type: "done", last };
  }

  #understandCheckpoint(request: CheckpointRequest, byFirstName: boolean): HeardLine {
    const state = this.#state;
    switch (state.type) {
      case "theirs": {
        const may = RULES[state.action].mayCheckpoint ? "store" : "refuse";
        return { type: "checkpoint", request, may, upTo: "current", byFirstName };
      }
      case "ours":
      case "delivering": {
        const may = state.last !== undefined && RULES[state.last].mayAfter ? "store" : "refuse";
        const warning = this.#once("a checkpoint came while no action was being answered");
        return { type: "checkpoint", request, may, upTo: "previous", byFirstName, ...warning };
      }
      case "over":
        return { type: "checkpoint", request, may: "refuse", upTo: "previous", byFirstName };
      case "broken":
        return NOISE;
    }
  }

  #once(warning: string): { readonly warning?: string } {
    if (this.#warned.has(warning) || this.#warned.size >= WARNINGS_MAX) return {};
    this.#warned.add(warning);
    return { warning };
  }
}

const NOISE = { type: "noise", blank: false } as const;

function nextAfter(last: Action | undefined): readonly Action[] {
  return last === undefined ? ["initialize"] : RULES[last].next;
}

function describe(state: State): string {
  switch (state.type) {
    case "ours":
      return state.last ? `the last action was "${state.last}"` : "nothing was said yet";
    case "delivering":
    case "theirs":
      return `"${state.message}" is not answered yet`;
    case "over":
      return "the talk is over";
    case "broken":
      return state.why;
  }
}

function ignoredKeys(action: string, keys: readonly string[]): string {
  return clip(`unknown properties of a ${action} are ignored: ${keys.join(", ")}`);
}

function clip(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
