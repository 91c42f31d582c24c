// One child process and its three pipes: started in a process group of its own, read to the end whatever it writes,
// and ended in steps. Knows bytes and lines, and nothing of what they mean.

import type { Clock } from "../../clock.ts";
import type { Emit } from "../../events.ts";
import type { ChildExit } from "../childFailed.ts";
import type { Counterpart } from "../counterpart.ts";
import { Output } from "./output.ts";
import { forgetGroup, rememberGroup, signalGroup } from "./processGroup.ts";
import { type Spawned, type SpawnOptions, spawn } from "./spawn.ts";
import type { Watchdog } from "./watchdog.ts";

export interface ChildOptions extends SpawnOptions {
  /** How long it may take to exit after its STDIN was closed. */
  readonly closeGraceMs: number;
  /** How long it may take to exit after SIGTERM. */
  readonly terminateGraceMs: number;
  readonly watchdog: Watchdog;
  readonly clock: Clock;
  readonly emit: Emit;
}

/** A message of a child is a few hundred bytes; this leaves room for its log lines, and bounds our memory. */
export const STDOUT_LINE_LIMIT_BYTES = 1024 * 1024;
export const STDERR_LINE_LIMIT_BYTES = 256 * 1024;

/** How long we go on reading after the child has exited, in case a grandchild keeps its pipes open. */
export const LAST_WORDS_MS = 1_000;

/** How long the kernel may take to end a process after SIGKILL: longer only when it hangs in a driver or a file system. */
const KILL_WAIT_MS = 10_000;

export class ChildProcess implements Counterpart {
  readonly pid: number;
  readonly argv: readonly string[];
  /** Its end, all that it wrote having been read. Nothing of its process group is left then. */
  readonly exited: Promise<ChildExit>;

  readonly #options: ChildOptions;
  readonly #subprocess: Spawned["subprocess"];
  readonly #stdout: Output;
  readonly #stderr: Output;
  #toldToEnd = false;
  #hasExited = false;
  #stopped: Promise<void> | undefined;
  #hear: (line: string) => Promise<void> | void = () => {};

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
    // A write into a pipe that the child has closed fails by its callback; the event has nothing to add.
    for (const pipe of [stdin, stdout, stderr]) pipe.on("error", () => {});
    rememberGroup(pid);
    options.watchdog.guard(pid);
    emit({ type: "childStarted", shardId, pid, argv });
    this.#stdout = new Output(stdout, {
      limitBytes: STDOUT_LINE_LIMIT_BYTES,
      hasMessages: true,
      clock,
      take: (line, cut) => (cut ? this.#tell("stdout", line) : this.#hear(line)),
    });
    this.#stderr = new Output(stderr, {
      limitBytes: STDERR_LINE_LIMIT_BYTES,
      hasMessages: false,
      clock,
      take: (line) => this.#tell("stderr", line),
    });
    this.exited = this.#watchExit();
  }

  /** The end of its STDOUT, every line before it having been heard. */
  get stdoutEnded(): Promise<void> {
    return this.#stdout.ended;
  }

  /** On both streams, since its start. */
  get writtenBytes(): number {
    return this.#stdout.bytes + this.#stderr.bytes;
  }

  get shardId(): string {
    return this.#options.shardId;
  }

  /** We closed its STDIN or killed it. */
  get toldToEnd(): boolean {
    return this.#toldToEnd;
  }

  /** Who takes the lines of STDOUT. To be called in the same tick as `start` came back, or lines are missed. */
  listen(hear: (line: string) => Promise<void> | void): void {
    this.#hear = hear;
  }

  /** Up to 50 lines of each stream, oldest first. */
  lastWords(): { readonly lastStdout: readonly string[]; readonly lastStderr: readonly string[] } {
    return { lastStdout: this.#stdout.lastLines(), lastStderr: this.#stderr.lastLines() };
  }

  /**
   * Writes one line, given in pieces that are not copied. Fulfilled when the last byte is in the pipe, which is
   * when the child can have read it at the earliest; rejects when the child has closed its STDIN.
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

  /** The end of its STDIN tells a child to exit. */
  closeStdin(): void {
    this.#toldToEnd = true;
    this.#subprocess.stdin.end();
  }

  /** Closes STDIN, waits, SIGTERM to the group, waits, SIGKILL to the group. Safe to call again. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stopInSteps();
    return this.#stopped;
  }

  /** SIGKILL to the group. Whoever needs to know awaits `exited`. */
  kill(): void {
    this.#toldToEnd = true;
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

  /** Waits for the exit, not much longer than `ms`. */
  async exitsWithin(ms: number): Promise<boolean> {
    const enough = new AbortController();
    const slept = this.#options.clock.sleep(ms, enough.signal);
    await Promise.race([this.exited, slept]);
    enough.abort();
    // Once the process is gone, its pipes follow in a bounded time.
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
    await Promise.race([pipesEnded, clock.sleep(LAST_WORDS_MS, enough.signal)]);
    enough.abort();
    // Grandchildren that outlived it: whoever still had something to say has had the time.
    signalGroup(this.pid, "SIGKILL");
    forgetGroup(this.pid);
    this.#options.watchdog.release(this.pid);
    this.#closePipes();
    emit({ type: "childExited", shardId, pid: this.pid, ...exit, expected: this.#toldToEnd });
    return exit;
  }

  #closePipes(): void {
    const { stdin, stdout, stderr } = this.#subprocess;
    for (const pipe of [stdin, stdout, stderr]) pipe.destroy();
  }

  #tell(stream: "stdout" | "stderr", line: string): void {
    const { shardId, emit } = this.#options;
    emit({ type: "childOutput", shardId, pid: this.pid, stream, line });
  }
}
