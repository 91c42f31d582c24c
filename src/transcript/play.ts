// Plays one script to a client: sends each action, answers its checkpoints, and stops at the first
// fault.

import type { DialectName } from "../model/dialect.ts";
import type { Candidate } from "./candidate.ts";
import { brief, type CheckpointLine, type Fault, readChildLine } from "./childLine.ts";
import { checkpointFault, statusFault, timeoutFault, unannouncedFault } from "./clientFaults.ts";
import { answerTo, type ScriptedAction } from "./script.ts";

/** The number of lines that are not messages which a report shows. */
const KEPT_NOISE_LINES = 3;

/** Extra time for each MiB of a line, because some languages parse slowly. */
const MS_PER_MEBI = 1_000;
const MEBI = 1024 * 1024;

/** Errors after which a child may repeat the checkpoint. */
const TRANSIENT: ReadonlySet<string> = new Set([
  "ThrottlingException",
  "KinesisClientLibDependencyException",
]);

export interface Part {
  readonly script: readonly ScriptedAction[];
  readonly announced: boolean;
  readonly dialect: DialectName;
  readonly stepLimitMs: number;
}

export class Play {
  readonly noise: string[] = [];
  readonly #candidate: Candidate;
  readonly #part: Part;
  /** Sub-sequence numbers delivered, by sequence number. */
  readonly #delivered = new Map<string, Set<number>>();
  #scriptedAnswers = 0;
  #answered = 0;
  #batches = 0;
  #processed = 0;
  /** A checkpoint failed with an error that a retry cannot fix: the child may give up. */
  #refused = false;
  #gaveUp = false;
  /** A client of KCL 1.x may not know `shutdownRequested`. The daemon detects that and omits it. */
  #knowsShutdownRequested = true;

  constructor(candidate: Candidate, part: Part) {
    this.#candidate = candidate;
    this.#part = part;
  }

  /**
   * False when the transcript answers checkpoints and the client made none at these places, or when
   * the client does not know `shutdownRequested` and need not.
   */
  get exercised(): boolean {
    return this.#knowsShutdownRequested && (this.#scriptedAnswers === 0 || this.#answered > 0);
  }

  /** How many actions with records were sent, and how many were answered with a status. */
  get batches(): { readonly sent: number; readonly processed: number } {
    return { sent: this.#batches, processed: this.#processed };
  }

  async run(): Promise<Fault | undefined> {
    for (const action of this.#part.script) {
      const fault = await this.#act(action);
      if (fault && this.#isTooOldFor(action)) {
        this.#knowsShutdownRequested = false;
        return undefined;
      }
      if (fault) return fault;
      if (this.#gaveUp) return undefined;
    }
    return this.#end();
  }

  #isTooOldFor({ action }: ScriptedAction): boolean {
    return this.#part.dialect === "kcl1" && action === "shutdownRequested";
  }

  async #act(action: ScriptedAction): Promise<Fault | undefined> {
    for (const { sequenceNumber, subSequenceNumber } of action.positions) {
      const subs = this.#delivered.get(sequenceNumber) ?? new Set([0]);
      this.#delivered.set(sequenceNumber, subs.add(subSequenceNumber));
    }
    const isBatch = action.action === "processRecords" && action.positions.length > 0;
    if (isBatch) this.#batches++;
    this.#scriptedAnswers += action.answers.length;
    this.#candidate.send(action.text);
    let checkpoints = 0;
    for (;;) {
      const received = await this.#nextMessage(action);
      switch (received.type) {
        case "fault":
          return received.fault;
        case "end":
          return this.#ended(action.message);
        case "checkpoint": {
          const fault = this.#answer(received, action, checkpoints++);
          if (fault) return fault;
          break;
        }
        case "status":
          if (isBatch) this.#processed++;
          return statusFault(received.responseFor, action, checkpoints);
      }
    }
  }

  /** Skips lines that are not messages, and log messages if they were announced. */
  async #nextMessage({ message: action, text }: ScriptedAction) {
    const { announced, dialect, stepLimitMs } = this.#part;
    const limitMs = stepLimitMs + Math.floor(text.length / MEBI) * MS_PER_MEBI;
    const deadline = performance.now() + limitMs;
    for (;;) {
      const received = await this.#candidate.receive(Math.max(0, deadline - performance.now()));
      if (received.type === "end") return received;
      if (received.type === "timeout") {
        return { type: "fault", fault: timeoutFault(action, limitMs) } as const;
      }
      const message = readChildLine(received.line, dialect);
      if (message.type === "log" && !announced) {
        return { type: "fault", fault: unannouncedFault(received.line) } as const;
      }
      if (message.type === "noise") this.#note(received.line);
      else if (message.type !== "log") return message;
    }
  }

  #answer(asked: CheckpointLine, action: ScriptedAction, index: number): Fault | undefined {
    const { sequenceNumber, subSequenceNumber, byFirstName } = asked;
    const fault = checkpointFault(asked, action.action, this.#delivered);
    if (fault) return fault;
    const error = answerTo(action, index, this.#part.dialect);
    if (action.answers.length > 0) this.#answered++;
    if (error !== null && !TRANSIENT.has(error)) this.#refused = true;
    const firstName = byFirstName && { checkpoint: sequenceNumber };
    const place = { ...firstName, sequenceNumber, subSequenceNumber };
    const answer = { action: "checkpoint", ...place, error };
    this.#candidate.send(JSON.stringify(answer));
    return undefined;
  }

  /** Closes STDIN and waits for the process to exit. */
  async #end(): Promise<Fault | undefined> {
    const { dialect, stepLimitMs } = this.#part;
    this.#candidate.endInput();
    const exit = await this.#candidate.exit(stepLimitMs);
    if (!exit) {
      return {
        sentence: "E8",
        expected: `an exit within ${stepLimitMs} ms of the end of STDIN`,
        came: "the process is still running",
      };
    }
    if (exit.signal !== null) {
      return { sentence: "E8", expected: "an exit at the end of STDIN", came: exit.signal };
    }
    for (;;) {
      const received = await this.#candidate.receive(stepLimitMs);
      if (received.type !== "line") return undefined;
      const message = readChildLine(received.line, dialect);
      if (message.type === "noise") this.#note(received.line);
      else if (message.type !== "log") {
        return {
          sentence: "O3",
          expected: "nothing after the last status",
          came: brief(received.line),
        };
      }
    }
  }

  #note(line: string): void {
    if (line.trim() !== "" && this.noise.length < KEPT_NOISE_LINES) this.noise.push(brief(line));
  }

  /**
   * STDOUT ended during an action. That is a fault, unless the child gave up after a failed
   * checkpoint with an exit code other than 0.
   */
  async #ended(action: string): Promise<Fault | undefined> {
    const exit = await this.#candidate.exit(this.#part.stepLimitMs);
    this.#gaveUp = this.#refused && exit !== undefined && exit.code !== 0;
    if (this.#gaveUp) return undefined;
    const came = exit ? `an exit with ${exit.signal ?? exit.code}` : "the end of STDOUT";
    return { sentence: "E9", expected: `a status for ${action}`, came };
  }
}
