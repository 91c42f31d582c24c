// One action at a time with one child: the line out, checkpoints in between, the status in, or a failure told well.
// The conversation knows what a line means, the process moves the bytes; here they meet time and trouble.

import type { Clock } from "../clock.ts";
import type { Emit } from "../events.ts";
import { CheckpointError } from "../model/errors.ts";
import type { Position } from "../model/position.ts";
import { KEEP_PIPES, ONE_STATUS, SEE_WHY, STAY, STUCK, TOO_SLOW } from "./advice.ts";
import { type ChildExit, ChildFailed, type ChildFailure, describeExit } from "./childFailed.ts";
import { Conversation, type Heard } from "./conversation.ts";
import type { Counterpart } from "./counterpart.ts";
import type { ChildDialect } from "./dialect.ts";
import { type Action, toLine } from "./messages.ts";
import { LAST_WORDS_MS } from "./process/process.ts";
import type { AnswerCheckpoint, CheckpointRequest } from "./recordProcessor.ts";

export interface TalkOptions {
  readonly shardId: string;
  readonly answerCheckpoint: AnswerCheckpoint;
  readonly dialect: ChildDialect;
  readonly timeoutMs?: number;
  /** It may take its time, as a person with a debugger does: that it owes an answer is not mentioned. */
  readonly unhurried?: boolean;
  readonly clock: Clock;
  readonly emit: Emit;
}

/** More about an action. */
export interface About {
  /** Where the child is when it has done it. */
  readonly delivers?: Position | undefined;
  /** The name of its message, where it is not that of the action. */
  readonly message?: string;
  /** Called when the last byte of its line is in the child's pipe. */
  readonly written?: (() => void) | undefined;
}

/** Answers to checkpoints that a child has not read, before we stop listening to it. */
const UNREAD_ANSWERS_MAX = 1_000;

/** From when on it is mentioned that a child owes an answer: then, and again whenever the wait has doubled. */
const OWED_MS = 60_000;

interface Turn {
  readonly action: Action;
  /** The name of its message. */
  readonly message: string;
  /** Where the child is when it has done the action, if that moves it on. */
  readonly delivers: Position | undefined;
  readonly done: () => void;
  readonly fail: (error: ChildFailed) => void;
}

export class Talk {
  readonly #child: Counterpart;
  readonly #options: TalkOptions;
  readonly #conversation = new Conversation();
  readonly #failed = new AbortController();
  readonly #over = new AbortController();
  #failure: ChildFailed | undefined;
  #turn: Turn | undefined;
  /** A checkpoint that is being stored; its answer goes out before anything else. */
  #answering: Promise<void> | undefined;
  #unreadAnswers = 0;
  /** Since when the child lets us wait; `undefined` while it waits for us. */
  #waitingSinceMs: number | undefined;
  #isReminding = false;
  /** The end of the last batch that the child has done. */
  #done: Position | undefined;

  constructor(child: Counterpart, options: TalkOptions) {
    this.#child = child;
    this.#options = options;
    child.listen((line) => this.#hear(line));
    void child.exited.then((exit) => this.#exited(exit));
    void child.stdoutEnded.then(() => this.#pipeBroke("closed its STDOUT"));
  }

  /** Aborted with the ChildFailed, when the child fails unasked. */
  get failed(): AbortSignal {
    return this.#failed.signal;
  }

  /** The child has asked for a checkpoint that is being stored. */
  get isAnswering(): boolean {
    return this.#answering !== undefined;
  }

  /** Fails the action under way, if there is one. */
  giveUp(what: string): void {
    if (this.#turn) this.#fail("stuck", what, STUCK);
  }

  /**
   * @param about what the action delivers, and the name of its message where it is another.
   * @throws ChildFailed when the child does not get through the action.
   */
  async act(action: Action, line: readonly Buffer[], about: About = {}): Promise<void> {
    const { delivers, message = action, written } = about;
    while (this.#answering !== undefined) await this.#answering;
    if (this.#failure) throw this.#failure;
    this.#conversation.ask(action, message);
    const settled = new Promise<void>((done, fail) => {
      this.#turn = { action, message, delivers, done, fail };
    });
    this.#waitingSinceMs = this.#options.clock.monotonicMs();
    void this.#write(line, () => {
      this.#conversation.delivered();
      written?.();
    });
    if (!this.#isReminding && !this.#options.unhurried) void this.#remind();
    const { timeoutMs } = this.#options;
    // Nothing to watch. An abort makes an error with its stack, which costs more than a small batch.
    if (timeoutMs === undefined) return settled;
    const over = new AbortController();
    void this.#watchTime(timeoutMs, over.signal);
    try {
      await settled;
    } finally {
      over.abort();
    }
  }

  #hear(line: string): Promise<void> | void {
    const { emit, shardId } = this.#options;
    const { pid } = this.#child;
    const heard = this.#conversation.hear(line);
    if (heard.warning) emit({ type: "protocolWarning", shardId, pid, message: heard.warning });
    switch (heard.type) {
      case "done":
        return this.#finish(heard.last);
      case "log":
        return emit({ type: "childLog", shardId, pid, level: heard.level, message: heard.message });
      case "noise":
        return heard.blank
          ? undefined
          : emit({ type: "childOutput", shardId, pid, stream: "stdout", line });
      case "violation":
        return this.#fail("protocol", `answered "${heard.answered}"`, ONE_STATUS);
      case "checkpoint":
        if (this.#failure) return undefined;
        this.#answering = this.#answer(heard).finally(() => {
          this.#answering = undefined;
        });
        return this.#answering;
    }
  }

  #finish(last: boolean): void {
    const turn = this.#turn;
    this.#turn = undefined;
    this.#done = turn?.delivers ?? this.#done;
    if (last) this.#child.closeStdin();
    turn?.done();
  }

  async #answer(heard: Extract<Heard, { type: "checkpoint" }>): Promise<void> {
    const { request, may, upTo, byFirstName } = heard;
    this.#waitingSinceMs = undefined;
    this.#learnDialect(heard);
    const asked = upTo === "current" ? request : this.#upToDone(request);
    const error = may === "refuse" ? this.#refusal() : await this.#store(asked);
    this.#waitingSinceMs = this.#options.clock.monotonicMs();
    const { sequenceNumber, subSequenceNumber } = request;
    // A client of the first years looks for the name that it knows, one of today for both of the others.
    const firstName = byFirstName && { checkpoint: sequenceNumber };
    const place = { ...firstName, sequenceNumber, subSequenceNumber };
    const answer = toLine({ action: "checkpoint", ...place, error });
    this.#unreadAnswers++;
    const written = this.#write([answer], () => {
      this.#unreadAnswers--;
    });
    // Else not waited for: a child may have to get rid of its own output before it reads on.
    if (this.#unreadAnswers > UNREAD_ANSWERS_MAX) await written;
  }

  /** A checkpoint shows that the child understood what it was asked, and which names it knows. */
  #learnDialect({ may, upTo, byFirstName }: Extract<Heard, { type: "checkpoint" }>): void {
    const { dialect, emit, shardId } = this.#options;
    if (byFirstName && dialect.heardCheckpointMember()) {
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

  /** What a request that came between two batches means: the caller may count the next batch as delivered already. */
  #upToDone(request: CheckpointRequest): CheckpointRequest | undefined {
    return request.sequenceNumber === null ? this.#done : request;
  }

  /** @param request `undefined` when nothing was done yet, so there is nothing to store. */
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
      await this.#pipeBroke("closed its STDIN", cause);
    }
  }

  /** Mentions that the child owes an answer. One timer runs on through many turns: a timer each costs as much as a small batch. */
  async #remind(): Promise<void> {
    const { clock, emit, shardId } = this.#options;
    const { signal } = this.#over;
    this.#isReminding = true;
    let [sinceMs, dueMs] = [0, OWED_MS];
    while (this.#turn && !signal.aborted) {
      const nowMs = clock.monotonicMs();
      const waitingSinceMs = this.#waitingSinceMs ?? nowMs;
      if (waitingSinceMs !== sinceMs) dueMs = OWED_MS;
      sinceMs = waitingSinceMs;
      const elapsedMs = nowMs - sinceMs;
      if (elapsedMs < dueMs) {
        await clock.sleep(dueMs - elapsedMs, signal);
      } else {
        const { action } = this.#turn;
        emit({ type: "answerOwed", shardId, pid: this.#child.pid, action, elapsedMs });
        dueMs *= 2;
      }
    }
    this.#isReminding = false;
  }

  async #watchTime(timeoutMs: number, over: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!over.aborted) {
      const sinceMs = this.#waitingSinceMs ?? clock.monotonicMs();
      const leftMs = sinceMs + timeoutMs - clock.monotonicMs();
      if (leftMs <= 0) {
        return this.#fail("timeout", `said nothing for ${timeoutMs / 1000} s`, TOO_SLOW);
      }
      await clock.sleep(leftMs, over);
    }
  }

  /** A pipe breaks when the child exits, and the exit tells more: we give it a moment to be seen. */
  async #pipeBroke(what: string, cause?: unknown): Promise<void> {
    if (await this.#child.exitsWithin(LAST_WORDS_MS)) return;
    this.#fail("pipe", what, KEEP_PIPES, {}, cause);
  }

  #exited(exit: ChildExit): void {
    this.#over.abort();
    const what = describeExit(exit) + (this.#child.toldToEnd ? ", as it was told to," : "");
    this.#fail("exit", what, exit.exitCode === 0 ? STAY : SEE_WHY, exit);
  }

  /** The first failure counts; what follows from it is not told again. */
  #fail(
    reason: ChildFailure,
    what: string,
    advice: string,
    exit: ChildExit = {},
    cause?: unknown,
  ): void {
    if (this.#failure) return;
    const { pid, argv, attachedTo, toldToEnd } = this.#child;
    const turn = this.#turn;
    const waitingFor = turn?.message ?? "nothing";
    const { shardId, dialect } = this.#options;
    const where = attachedTo === undefined ? { pid } : { attachedTo };
    const facts = { shardId, argv, ...where, waitingFor, reason, ...exit };
    const options = cause === undefined ? {} : { cause };
    const doubt = dialect.adviceAt(waitingFor);
    this.#failure = new ChildFailed(
      { ...facts, ...this.#child.lastWords() },
      what,
      doubt === undefined ? advice : `${advice}\n${doubt}`,
      options,
    );
    if (!toldToEnd) this.#failed.abort(this.#failure);
    this.#turn = undefined;
    turn?.fail(this.#failure);
  }
}
