// One play of a script to a client: says each action, answers its checkpoints, and stops at the first fault.

import type { DialectName } from "../model/dialect.ts";
import type { Candidate } from "./candidate.ts";
import { brief, type CheckpointLine, type Fault, readChildLine } from "./childLine.ts";
import { checkpointFault, silence, statusFault, unannounced } from "./clientFaults.ts";
import { answerTo, type ScriptedAction } from "./script.ts";

/** Lines that are no messages which a report repeats. */
const KEPT_NOISE_LINES = 3;

/** A slow language may take this much longer for each MiB of a line. */
const MS_PER_MEBI = 1_000;
const MEBI = 1024 * 1024;

/** Errors after which a child may ask again. */
const CURABLE: ReadonlySet<string> = new Set([
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
  /** A checkpoint was refused for good: the child may give up. */
  #refused = false;
  #gaveUp = false;
  /** A client of KCL 1.x may be older than this message: the daemon notices, and does without. */
  #knowsNotice = true;

  constructor(candidate: Candidate, part: Part) {
    this.#candidate = candidate;
    this.#part = part;
  }

  /**
   * False when the transcript is about checkpoints, and the client asked for none where it could have been answered; or
   * when it does not know the notice of a stop and need not.
   */
  get exercised(): boolean {
    return this.#knowsNotice && (this.#scriptedAnswers === 0 || this.#answered > 0);
  }

  /** Of the actions with records: how many were sent, and how many were answered with their status. */
  get batches(): { readonly sent: number; readonly processed: number } {
    return { sent: this.#batches, processed: this.#processed };
  }

  async run(): Promise<Fault | undefined> {
    for (const action of this.#part.script) {
      const fault = await this.#act(action);
      if (fault && this.#isTooOldFor(action)) {
        this.#knowsNotice = false;
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
    this.#candidate.say(action.text);
    let checkpoints = 0;
    for (;;) {
      const heard = await this.#nextMessage(action);
      switch (heard.type) {
        case "fault":
          return heard.fault;
        case "end":
          return this.#ended(action.message);
        case "checkpoint": {
          const fault = this.#answer(heard, action, checkpoints++);
          if (fault) return fault;
          break;
        }
        case "status":
          if (isBatch) this.#processed++;
          return statusFault(heard.responseFor, action, checkpoints);
      }
    }
  }

  /** Skips what is no message; logs are welcome where they were announced. */
  async #nextMessage({ message: action, text }: ScriptedAction) {
    const { announced, dialect, stepLimitMs } = this.#part;
    const limitMs = stepLimitMs + Math.floor(text.length / MEBI) * MS_PER_MEBI;
    const deadline = performance.now() + limitMs;
    for (;;) {
      const heard = await this.#candidate.hear(Math.max(0, deadline - performance.now()));
      if (heard.type === "end") return heard;
      if (heard.type === "silence") {
        return { type: "fault", fault: silence(action, limitMs) } as const;
      }
      const message = readChildLine(heard.line, dialect);
      if (message.type === "log" && !announced) {
        return { type: "fault", fault: unannounced(heard.line) } as const;
      }
      if (message.type === "noise") this.#note(heard.line);
      else if (message.type !== "log") return message;
    }
  }

  #answer(asked: CheckpointLine, action: ScriptedAction, index: number): Fault | undefined {
    const { sequenceNumber, subSequenceNumber, byFirstName } = asked;
    const fault = checkpointFault(asked, action.action, this.#delivered);
    if (fault) return fault;
    const error = answerTo(action, index, this.#part.dialect);
    if (action.answers.length > 0) this.#answered++;
    if (error !== null && !CURABLE.has(error)) this.#refused = true;
    const firstName = byFirstName && { checkpoint: sequenceNumber };
    const place = { ...firstName, sequenceNumber, subSequenceNumber };
    const answer = { action: "checkpoint", ...place, error };
    this.#candidate.say(JSON.stringify(answer));
    return undefined;
  }

  /** Closes STDIN and sees the process off. */
  async #end(): Promise<Fault | undefined> {
    const { dialect, stepLimitMs } = this.#part;
    this.#candidate.endInput();
    const exit = await this.#candidate.exit(stepLimitMs);
    if (!exit) {
      return {
        sentence: "E8",
        expected: `an exit within ${stepLimitMs} ms of the end of STDIN`,
        came: "the process lives on",
      };
    }
    if (exit.signal !== null) {
      return { sentence: "E8", expected: "an exit at the end of STDIN", came: exit.signal };
    }
    for (;;) {
      const heard = await this.#candidate.hear(stepLimitMs);
      if (heard.type !== "line") return undefined;
      const message = readChildLine(heard.line, dialect);
      if (message.type === "noise") this.#note(heard.line);
      else if (message.type !== "log") {
        return {
          sentence: "O3",
          expected: "nothing after the last status",
          came: brief(heard.line),
        };
      }
    }
  }

  #note(line: string): void {
    if (line.trim() !== "" && this.noise.length < KEPT_NOISE_LINES) this.noise.push(brief(line));
  }

  /** STDOUT ended within an action: a failure, unless the child gave up after a refusal, with an exit code that says so. */
  async #ended(action: string): Promise<Fault | undefined> {
    const exit = await this.#candidate.exit(this.#part.stepLimitMs);
    this.#gaveUp = this.#refused && exit !== undefined && exit.code !== 0;
    if (this.#gaveUp) return undefined;
    const came = exit ? `exit with ${exit.signal ?? exit.code}` : "the end of STDOUT";
    return { sentence: "E9", expected: `a status for ${action}`, came };
  }
}
