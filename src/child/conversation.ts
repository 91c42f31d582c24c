// The conversation with one child, without its pipes: whose turn it is, and what each line means.
// It performs no I/O and reads no clock.
//
// The daemon requests, the child answers. `request(action)` takes the turn, `delivered()` records
// that the whole line is in the pipe, and every line of the child goes through `receive()`, at any
// time. The one status that names the action gives the turn back. Before it, the child may request
// checkpoints, which do not end its turn:
//
//     ours ──request──▶ delivering ──delivered──▶ theirs ──status──▶ ours
//                                                  │  ▲        (or "over", after the last action)
//                                                  └──┘ checkpoint, log, output that is no message
//
// The result of `receive` is the whole contract with the caller:
//
//   done        the action is answered; the turn is ours.
//   checkpoint  to be answered before anything else is written. `may: "store"` only while the child
//               works on records whose lease this worker holds; the Java daemon refuses any other
//               request with InvalidStateException, and so does this one.
//   log         a line for the daemon's log; it has no answer.
//   noise       to be skipped: blank, not a message, or a message that is not expected now.
//   violation   the child answered an action that was not requested. No later status can be
//               trusted, because it might belong to any batch: all later lines are noise, and
//               `request` throws.
//
// Three things differ from the Java daemon, which reads a child's lines only while it waits for a
// status:
//
// - A status that arrives during our turn, or before the child can have read the whole action, is
//   dropped. Java takes it as the answer to the *next* action: a batch would count as processed
//   before the child has seen it.
// - A checkpoint that arrives then is answered then. Java answers it during the next action, when
//   "the end of what was delivered" already includes a batch that the child has not read. `upTo`
//   distinguishes the two cases.
// - A harmless irregularity (unknown properties, unknown actions) is reported once per kind, and
//   does not block the shard.
//
// To add a message of the child: its schema in messages.ts, its coercions in readLine.ts, its
// meaning in `#interpret`.

import type { Action, ChildMessage, LOG_LEVELS } from "./messages.ts";
import { readLine } from "./readLine.ts";
import type { CheckpointRequest } from "./recordProcessor.ts";

export type Received =
  /** `isLast`: no action may follow. */
  | { readonly type: "done"; readonly isLast: boolean }
  | {
      readonly type: "checkpoint";
      readonly request: CheckpointRequest;
      readonly may: "store" | "refuse";
      /**
       * What a request without a number means: the end of the current batch, or of the one before.
       */
      readonly upTo: "current" | "previous";
      /** The request names its sequence number `checkpoint`, as clients before KCL 1.7.2 do. */
      readonly byFirstName: boolean;
    }
  | { readonly type: "log"; readonly level: (typeof LOG_LEVELS)[number]; readonly message: string }
  | { readonly type: "noise"; readonly isBlank: boolean }
  | { readonly type: "violation"; readonly answered: string };

/** What a line means, with a warning for the log the first time a kind of irregularity occurs. */
export type ReceivedLine = Received & { readonly warning?: string };

interface Requested {
  readonly action: Action;
  /** The name of its message in the child's dialect. The status repeats it. */
  readonly message: string;
}

type State =
  | { readonly type: "ours"; readonly last: Action | undefined }
  | (Requested & { readonly type: "delivering"; readonly last: Action | undefined })
  | (Requested & { readonly type: "theirs" })
  | { readonly type: "over" }
  | { readonly type: "broken"; readonly why: string };

const WORK: readonly Action[] = ["processRecords", "shutdownRequested", "leaseLost", "shardEnded"];

/**
 * For each action: whether the child may checkpoint before its status, whether it may after, and
 * which actions may follow.
 */
const RULES = {
  initialize: { mayCheckpoint: false, mayAfter: true, next: WORK },
  processRecords: { mayCheckpoint: true, mayAfter: true, next: WORK },
  shutdownRequested: { mayCheckpoint: true, mayAfter: false, next: ["leaseLost", "shardEnded"] },
  leaseLost: { mayCheckpoint: false, mayAfter: false, next: [] },
  shardEnded: { mayCheckpoint: true, mayAfter: false, next: [] },
} satisfies Record<Action, { mayCheckpoint: boolean; mayAfter: boolean; next: readonly Action[] }>;

/** Kinds of irregularities that are reported for one child. Further kinds are not reported. */
const WARNINGS_MAX = 32;

export class Conversation {
  #state: State = { type: "ours", last: undefined };
  readonly #warned = new Set<string>();

  /**
   * Takes the turn.
   *
   * @param message the name of the action's message, if the child's dialect has a name of its own.
   * @throws Error when it is the child's turn, or the action may not follow: a bug of the caller.
   */
  request(action: Action, message: string = action): void {
    const state = this.#state;
    const next: readonly Action[] = state.type !== "ours" ? [] : nextAfter(state.last);
    if (state.type !== "ours" || !next.includes(action)) {
      throw new Error(`"${action}" cannot be requested now: ${describe(state)}`);
    }
    this.#state = { type: "delivering", action, message, last: state.last };
  }

  /**
   * The action's last byte is in the pipe, so a status that arrives from now on can be its answer.
   */
  delivered(): void {
    if (this.#state.type === "delivering") {
      const { action, message } = this.#state;
      this.#state = { type: "theirs", action, message };
    }
  }

  /** Interprets one line, given without its line end. Never throws. */
  receive(line: string): ReceivedLine {
    const read = readLine(line);
    switch (read.type) {
      case "blank":
        return { type: "noise", isBlank: true };
      case "junk": {
        const { looksLike } = read;
        if (looksLike === undefined) return NOISE;
        return { ...NOISE, ...this.#once(`skipped a line that looks like ${looksLike}`) };
      }
      case "notForUs":
        return { ...NOISE, ...this.#once(`skipped a message: ${read.why}`) };
      case "message": {
        const received = this.#interpret(read.message);
        if (read.unknownKeys.length === 0 || received.warning !== undefined) return received;
        return { ...received, ...this.#once(ignoredKeys(read.message.action, read.unknownKeys)) };
      }
    }
  }

  #interpret(message: ChildMessage): ReceivedLine {
    switch (message.action) {
      case "log":
        return { type: "log", level: message.level ?? "info", message: message.message };
      case "checkpoint":
        return this.#interpretCheckpoint(
          {
            sequenceNumber: message.sequenceNumber ?? null,
            subSequenceNumber: message.subSequenceNumber ?? null,
          },
          message.checkpoint !== undefined,
        );
      case "status":
        return this.#interpretStatus(message.responseFor);
    }
  }

  #interpretStatus(responseFor: string): ReceivedLine {
    const state = this.#state;
    if (state.type !== "theirs") {
      const why = `dropped a status for "${clip(responseFor)}", because no answer was due. Check whether the processor sends it twice`;
      return { ...NOISE, ...this.#once(why) };
    }
    if (responseFor !== state.message) {
      const answered = clip(responseFor);
      this.#state = { type: "broken", why: `it answered "${answered}" to "${state.message}"` };
      return { type: "violation", answered };
    }
    const isLast = RULES[state.action].next.length === 0;
    this.#state = isLast ? { type: "over" } : { type: "ours", last: state.action };
    return { type: "done", isLast };
  }

  #interpretCheckpoint(request: CheckpointRequest, byFirstName: boolean): ReceivedLine {
    const state = this.#state;
    switch (state.type) {
      case "theirs": {
        const may = RULES[state.action].mayCheckpoint ? "store" : "refuse";
        return { type: "checkpoint", request, may, upTo: "current", byFirstName };
      }
      case "ours":
      case "delivering": {
        const may = state.last !== undefined && RULES[state.last].mayAfter ? "store" : "refuse";
        const warning = this.#once(
          "the processor requested a checkpoint while no action was under way",
        );
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

const NOISE = { type: "noise", isBlank: false } as const;

function nextAfter(last: Action | undefined): readonly Action[] {
  return last === undefined ? ["initialize"] : RULES[last].next;
}

function describe(state: State): string {
  switch (state.type) {
    case "ours":
      return state.last ? `the last action was "${state.last}"` : "no action was requested yet";
    case "delivering":
    case "theirs":
      return `"${state.message}" is not answered yet`;
    case "over":
      return "the conversation is over";
    case "broken":
      return state.why;
  }
}

function ignoredKeys(action: string, keys: readonly string[]): string {
  return clip(`ignored unknown properties of a ${action} message: ${keys.join(", ")}`);
}

function clip(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
