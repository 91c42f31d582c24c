// One child process and its three pipes: starts it in its own process group, reads its output to
// the end, and ends it in steps. Knows bytes and lines, but not what they mean.

import type { Clock } from "../../clock.ts";
import type { Emit } from "../../events.ts";
import type { ChildExit } from "../childFailed.ts";
import type { Counterpart } from "../counterpart.ts";
import { Output } from "./output.ts";
import { forgetGroup, rememberGroup, signalGroup } from "./processGroup.ts";
import { type Spawned, type SpawnOptions, spawn } from "./spawn.ts";
import type { Watchdog } from "./watchdog.ts";

export interface ChildOptions extends SpawnOptions {
  /** How long it may take to exit after its STDIN was closed, in milliseconds. */
  readonly closeGraceMs: number;
  /** How long it may take to exit after SIGTERM, in milliseconds. */
  readonly terminateGraceMs: number;
  readonly watchdog: Watchdog;
  readonly clock: Clock;
  readonly emit: Emit;
}

/** A child's message is a few hundred bytes. The limit allows long log lines, and bounds memory. */
export const STDOUT_LINE_LIMIT_BYTES = 1024 * 1024;
export const STDERR_LINE_LIMIT_BYTES = 256 * 1024;

/** How long the daemon reads after the child's exit, in case a grandchild keeps the pipes open. */
export const OUTPUT_AFTER_EXIT_MS = 1_000;

/**
 * How long to wait after SIGKILL. A process ends later only if it hangs in a driver or file system.
 */
const KILL_WAIT_MS = 10_000;

export class ChildProcess implements Counterpart {
  readonly pid: number;
  readonly argv: readonly string[];
  /** Resolves when it has ended, its output is read, and no process of its group is left. */
  readonly exited: Promise<ChildExit>;

  readonly #options: ChildOptions;
  readonly #subprocess: Spawned["subprocess"];
  readonly #stdout: Output;
  readonly #stderr: Output;
  #endRequested = false;
  #hasExited = false;
  #stopped: Promise<void> | undefined;
  #receive: (line: string) => Promise<void> | void = () => {};

  /** @throws ChildFailed `spawn`. */
  static async start(options: ChildOptions): Promise<ChildProcess> {
    return new ChildProcess(options, await spawn(options));
  }

  private constructor(options: ChildOptions, { pid, subprocess }: Spawned) {
    const { shardId, argv, emit, clock } = options;
    const { stdin, stdout, stderr } = subprocess;
    this.#options = options;
    this.#subprocess = subprocess;
    this.pid = pid;
    this.argv = argv;
    // A write to a pipe that the child has closed reports its failure to its callback.
    for (const pipe of [stdin, stdout, stderr]) pipe.on("error", () => {});
    rememberGroup(pid);
    options.watchdog.guard(pid);
    emit({ type: "childStarted", shardId, pid, argv });
    this.#stdout = new Output(stdout, {
      limitBytes: STDOUT_LINE_LIMIT_BYTES,
      hasMessages: true,
      clock,
      take: (line, cut) => (cut ? this.#emitOutput("stdout", line) : this.#receive(line)),
    });
    this.#stderr = new Output(stderr, {
      limitBytes: STDERR_LINE_LIMIT_BYTES,
      hasMessages: false,
      clock,
      take: (line) => this.#emitOutput("stderr", line),
    });
    this.exited = this.#watchExit();
  }

  /** Resolves when its STDOUT has ended and every line has been processed. */
  get stdoutEnded(): Promise<void> {
    return this.#stdout.ended;
  }

  /** Written to STDOUT and STDERR since its start. */
  get writtenBytes(): number {
    return this.#stdout.bytes + this.#stderr.bytes;
  }

  get shardId(): string {
    return this.#options.shardId;
  }

  /** The daemon has closed its STDIN or killed it. */
  get endRequested(): boolean {
    return this.#endRequested;
  }

  /** Call this in the same tick in which `start` resolves; otherwise lines are missed. */
  onLine(receive: (line: string) => Promise<void> | void): void {
    this.#receive = receive;
  }

  /** Up to 50 lines of each stream, oldest first. */
  lastOutput(): { readonly lastStdout: readonly string[]; readonly lastStderr: readonly string[] } {
    return { lastStdout: this.#stdout.lastLines(), lastStderr: this.#stderr.lastLines() };
  }

  /**
   * Writes one line, given in pieces that are not copied. Resolves when the last byte is in the
   * pipe: the child cannot have read the whole line before. Rejects when the child has closed its
   * STDIN.
   */
  write(pieces: readonly Buffer[]): Promise<void> {
    const { stdin } = this.#subprocess;
    return new Promise((resolve, reject) => {
      stdin.cork();
      pieces.forEach((piece, i) => {
        const written = (error?: Error | null) => (error ? reject(error) : resolve());
        if (i === pieces.length - 1) stdin.write(piece, written);
        else if (piece.length > 0) stdin.write(piece);
      });
      stdin.uncork();
    });
  }

  /** A child exits at the end of its STDIN. */
  closeStdin(): void {
    this.#endRequested = true;
    this.#subprocess.stdin.end();
  }

  /** Closes STDIN, then sends SIGTERM, then SIGKILL to the group. May be called repeatedly. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stopInSteps();
    return this.#stopped;
  }

  /** Sends SIGKILL to the group, and does not wait; await `exited` for its end. */
  kill(): void {
    this.#endRequested = true;
    signalGroup(this.pid, "SIGKILL");
  }

  async #stopInSteps(): Promise<void> {
    const { closeGraceMs, terminateGraceMs } = this.#options;
    this.closeStdin();
    if (await this.exitsWithin(closeGraceMs)) return;
    signalGroup(this.pid, "SIGTERM");
    if (await this.exitsWithin(terminateGraceMs)) return;
    signalGroup(this.pid, "SIGKILL");
    if (await this.exitsWithin(KILL_WAIT_MS)) return;
    this.#closePipes();
  }

  /** Waits for the exit, for about `ms` milliseconds at most. @returns whether it has exited. */
  async exitsWithin(ms: number): Promise<boolean> {
    const enough = new AbortController();
    const slept = this.#options.clock.sleep(ms, enough.signal);
    await Promise.race([this.exited, slept]);
    enough.abort();
    // After the process has exited, its pipes are closed in a bounded time.
    if (this.#hasExited) await this.exited;
    return this.#hasExited;
  }

  async #watchExit(): Promise<ChildExit> {
    const { shardId, clock, emit } = this.#options;
    const exit = await new Promise<ChildExit>((resolve) => {
      this.#subprocess.once("exit", (exitCode, signal) => {
        resolve({ ...(exitCode !== null && { exitCode }), ...(signal !== null && { signal }) });
      });
    });
    this.#hasExited = true;
    const pipesEnded = Promise.all([this.#stdout.ended, this.#stderr.ended]);
    const enough = new AbortController();
    await Promise.race([pipesEnded, clock.sleep(OUTPUT_AFTER_EXIT_MS, enough.signal)]);
    enough.abort();
    // Ends grandchildren that outlive it. They have had the time to finish their output.
    signalGroup(this.pid, "SIGKILL");
    forgetGroup(this.pid);
    this.#options.watchdog.release(this.pid);
    this.#closePipes();
    emit({ type: "childExited", shardId, pid: this.pid, ...exit, expected: this.#endRequested });
    return exit;
  }

  #closePipes(): void {
    const { stdin, stdout, stderr } = this.#subprocess;
    for (const pipe of [stdin, stdout, stderr]) pipe.destroy();
  }

  #emitOutput(stream: "stdout" | "stderr", line: string): void {
    const { shardId, emit } = this.#options;
    emit({ type: "childOutput", shardId, pid: this.pid, stream, line });
  }
}
