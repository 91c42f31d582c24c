// Runs one action after another with one child: sends the line, answers checkpoints, receives the
// status, or reports the failure. The conversation knows what a line means, and the counterpart
// moves the bytes; this file adds time, checkpoints and failures.

import type { Clock } from "../clock.ts";
import type { Emit } from "../events.ts";
import { CheckpointError } from "../model/errors.ts";
import type { Position } from "../model/position.ts";
import { AnswerTime } from "./answerTime.ts";
import { type ChildExit, ChildFailed, type ChildFailure, describeExit } from "./childFailed.ts";
import { Conversation, type Received } from "./conversation.ts";
import type { Counterpart } from "./counterpart.ts";
import type { ChildDialect } from "./dialect.ts";
import { type Action, toLine } from "./messages.ts";
import { OUTPUT_AFTER_EXIT_MS } from "./process/childProcess.ts";
import type { AnswerCheckpoint, CheckpointRequest } from "./recordProcessor.ts";

export interface SessionOptions {
  readonly shardId: string;
  readonly answerCheckpoint: AnswerCheckpoint;
  readonly dialect: ChildDialect;
  /** Longest wait for each message of the child, in milliseconds; no limit when absent. */
  readonly timeoutMs?: number;
  /** A user debugs the processor: long waits are expected and not reported. */
  readonly isDebugged?: boolean;
  readonly clock: Clock;
  readonly emit: Emit;
}

export interface ActionOptions {
  /** The last record of the action: the child's position when it has answered. */
  readonly delivers?: Position | undefined;
  /** The name of the message, where it is not the name of the action. */
  readonly message?: string;
  /** Called when the last byte of the line is in the child's pipe. */
  readonly written?: (() => void) | undefined;
}

/**
 * Checkpoint answers that the child may leave unread before the daemon stops reading its output.
 */
const UNREAD_ANSWERS_MAX = 1_000;

/** The failures of a child that was started. */
type SessionFailure = Exclude<ChildFailure, "spawn">;

const ADVICE = {
  protocol:
    "A record processor sends exactly one status for each action, when the action is done. Look for a status that is sent twice, or for a message that is printed as output. See protocol/README.md.",
  timeout: "Find out what the processor is busy with, or raise timeoutInSeconds.",
  stuck:
    "A processor that has to wait for a long time can write a line to STDERR now and then. Otherwise, raise progressTimeoutSeconds.",
  pipe: "A record processor keeps its STDIN and STDOUT open until its STDIN ends, and writes its own output to STDERR.",
  exit: "The last lines of its output usually show the cause. If they do not, run the command by hand.",
} satisfies Record<SessionFailure, string>;

const EXITED_WITH_0 =
  "A record processor runs until its STDIN ends. Check whether the command starts a program in the background and exits.";

interface Turn {
  readonly action: Action;
  readonly message: string;
  readonly delivers: Position | undefined;
  readonly done: () => void;
  readonly fail: (error: ChildFailed) => void;
}

export class Session {
  readonly #child: Counterpart;
  readonly #options: SessionOptions;
  readonly #conversation = new Conversation();
  readonly #failed = new AbortController();
  readonly #answerTime: AnswerTime;
  #failure: ChildFailed | undefined;
  #turn: Turn | undefined;
  /** A checkpoint that is being stored. Its answer is written before anything else. */
  #answering: Promise<void> | undefined;
  #unreadAnswers = 0;
  /** The last record of the last batch that the child has answered. */
  #done: Position | undefined;

  constructor(child: Counterpart, options: SessionOptions) {
    const { timeoutMs, clock, isDebugged = false } = options;
    this.#child = child;
    this.#options = options;
    this.#answerTime = new AnswerTime({
      ...(timeoutMs !== undefined && { timeoutMs }),
      reports: !isDebugged,
      clock,
      isOwed: (elapsedMs) => this.#reportWait(elapsedMs),
      isOver: (limitMs) => this.#fail("timeout", `sent nothing for ${limitMs / 1000} s`),
    });
    child.onLine((line) => this.#receive(line));
    void child.exited.then((exit) => this.#exited(exit));
    void child.stdoutEnded.then(() => this.#pipeClosed("closed its STDOUT"));
  }

  /**
   * Aborted with the ChildFailed when the child fails; not aborted by an exit that was requested.
   */
  get failed(): AbortSignal {
    return this.#failed.signal;
  }

  /** The child has requested a checkpoint that is not answered yet. */
  get isAnswering(): boolean {
    return this.#answering !== undefined;
  }

  /** Fails the action under way, if there is one, as `stuck`. */
  giveUp(what: string): void {
    if (this.#turn) this.#fail("stuck", what);
  }

  /**
   * Sends the line of an action and waits for its status.
   *
   * @throws ChildFailed when the child fails before it has answered.
   */
  async act(action: Action, line: readonly Buffer[], options: ActionOptions = {}): Promise<void> {
    const { delivers, message = action, written } = options;
    while (this.#answering !== undefined) await this.#answering;
    if (this.#failure) throw this.#failure;
    this.#conversation.request(action, message);
    const answered = new Promise<void>((done, fail) => {
      this.#turn = { action, message, delivers, done, fail };
    });
    this.#answerTime.begin();
    void this.#write(line, () => {
      this.#conversation.delivered();
      written?.();
    });
    return answered;
  }

  #receive(line: string): Promise<void> | void {
    const { emit, shardId } = this.#options;
    const { pid } = this.#child;
    const received = this.#conversation.receive(line);
    const { warning } = received;
    if (warning) emit({ type: "protocolWarning", shardId, pid, message: warning });
    switch (received.type) {
      case "done":
        return this.#finish(received.isLast);
      case "log": {
        const { level, message } = received;
        return emit({ type: "childLog", shardId, pid, level, message });
      }
      case "noise":
        return received.isBlank
          ? undefined
          : emit({ type: "childOutput", shardId, pid, stream: "stdout", line });
      case "violation":
        return this.#fail("protocol", `answered "${received.answered}"`);
      case "checkpoint":
        if (this.#failure) return undefined;
        this.#answering = this.#answer(received).finally(() => {
          this.#answering = undefined;
        });
        return this.#answering;
    }
  }

  #finish(isLast: boolean): void {
    const turn = this.#turn;
    this.#turn = undefined;
    this.#answerTime.end();
    this.#done = turn?.delivers ?? this.#done;
    if (isLast) this.#child.closeStdin();
    turn?.done();
  }

  async #answer(received: Extract<Received, { type: "checkpoint" }>): Promise<void> {
    const { request, may, upTo, byFirstName } = received;
    this.#answerTime.pause();
    this.#learnDialect(received);
    const effective = upTo === "current" ? request : this.#upToDone(request);
    const error = may === "refuse" ? this.#refusal() : await this.#store(effective);
    this.#answerTime.resume();
    const { sequenceNumber, subSequenceNumber } = request;
    // Clients before KCL 1.7.2 read `checkpoint`; later ones read the other two.
    const firstName = byFirstName && { checkpoint: sequenceNumber };
    const position = { ...firstName, sequenceNumber, subSequenceNumber };
    const answer = toLine({ action: "checkpoint", ...position, error });
    this.#unreadAnswers++;
    const written = this.#write([answer], () => {
      this.#unreadAnswers--;
    });
    // Below the limit the daemon reads on: the child may have to write output before it can read.
    if (this.#unreadAnswers > UNREAD_ANSWERS_MAX) await written;
  }

  /** A checkpoint shows that the child knows the message it works on, and which names it uses. */
  #learnDialect({ may, upTo, byFirstName }: Extract<Received, { type: "checkpoint" }>): void {
    const { dialect, emit, shardId } = this.#options;
    if (byFirstName && dialect.sawCheckpointMember()) {
      emit({ type: "dialectChanged", shardId, to: dialect.current.name, sign: "checkpoint" });
    }
    const turn = this.#turn;
    if (turn && may === "store" && upTo === "current") dialect.understood(turn.message);
  }

  #refusal() {
    return this.#turn?.action === "leaseLost"
      ? this.#options.dialect.current.errorWithoutLease
      : "InvalidStateException";
  }

  /**
   * A request between two batches names its position, because the caller may already count the next
   * batch as delivered.
   */
  #upToDone(request: CheckpointRequest): CheckpointRequest | undefined {
    return request.sequenceNumber === null ? this.#done : request;
  }

  /**
   * @param request `undefined` when the child has answered no batch, so there is nothing to store.
   * @returns the error for the child; null when the checkpoint is stored.
   */
  async #store(request: CheckpointRequest | undefined) {
    try {
      if (request) await this.#options.answerCheckpoint(request);
      return null;
    } catch (error) {
      if (error instanceof CheckpointError) return error.name;
      const { emit, shardId } = this.#options;
      emit({ type: "checkpointTrouble", shardId, pid: this.#child.pid, error });
      return "KinesisClientLibDependencyException";
    }
  }

  async #write(line: readonly Buffer[], written: () => void): Promise<void> {
    try {
      await this.#child.write(line);
      written();
    } catch (cause) {
      await this.#pipeClosed("closed its STDIN", cause);
    }
  }

  #reportWait(elapsedMs: number): void {
    const { emit, shardId } = this.#options;
    if (!this.#turn) return;
    const { action } = this.#turn;
    emit({ type: "answerOwed", shardId, pid: this.#child.pid, action, elapsedMs });
  }

  /** A pipe also closes when the child exits. The exit is the better error, so it gets a moment. */
  async #pipeClosed(what: string, cause?: unknown): Promise<void> {
    if (await this.#child.exitsWithin(OUTPUT_AFTER_EXIT_MS)) return;
    this.#fail("pipe", what, { cause });
  }

  #exited(exit: ChildExit): void {
    this.#answerTime.close();
    const what =
      describeExit(exit) + (this.#child.endRequested ? ", as the daemon requested," : "");
    const advice = exit.exitCode === 0 ? EXITED_WITH_0 : ADVICE.exit;
    this.#fail("exit", what, { exit, advice });
  }

  /** Only the first failure counts; later ones are its consequences. */
  #fail(
    reason: SessionFailure,
    what: string,
    { exit, advice = ADVICE[reason], cause }: FailureDetails = {},
  ): void {
    if (this.#failure) return;
    const { pid, argv, attachedTo, endRequested } = this.#child;
    const turn = this.#turn;
    const waitingFor = turn?.message ?? "nothing";
    const { shardId, dialect } = this.#options;
    const where = attachedTo === undefined ? { pid } : { attachedTo };
    const facts = { shardId, argv, ...where, waitingFor, reason, ...exit };
    const dialectAdvice = dialect.adviceAt(waitingFor);
    this.#failure = new ChildFailed(
      { ...facts, ...this.#child.lastOutput() },
      what,
      dialectAdvice === undefined ? advice : `${advice}\n${dialectAdvice}`,
      cause === undefined ? {} : { cause },
    );
    if (!endRequested) this.#failed.abort(this.#failure);
    this.#turn = undefined;
    this.#answerTime.end();
    turn?.fail(this.#failure);
  }
}

interface FailureDetails {
  readonly exit?: ChildExit;
  readonly advice?: string;
  readonly cause?: unknown;
}
