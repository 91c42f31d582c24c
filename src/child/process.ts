// One child process and its three pipes: started in a process group of its own, read to the end whatever it writes,
// and ended in steps. Knows bytes and lines, and nothing of what they mean.

import { execa } from "execa";
import type { Clock } from "../clock.ts";
import type { Emit } from "../events.ts";
import { type ChildExit, ChildFailed } from "./childFailed.ts";
import { LastWords } from "./lastWords.ts";
import { type Line, LineSplitter } from "./lines.ts";
import { diagnose } from "./notStarted.ts";
import { forgetGroup, rememberGroup, signalGroup } from "./processGroup.ts";

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
}

export interface ChildOptions {
  readonly shardId: string;
  readonly command: Command;
  /** Working directory; that of the daemon when absent. */
  readonly cwd?: string | undefined;
  /** Added to the daemon's own environment. */
  readonly env: Readonly<Record<string, string>>;
  /** How long it may take to exit after its STDIN was closed. */
  readonly closeGraceMs: number;
  /** How long it may take to exit after SIGTERM. */
  readonly terminateGraceMs: number;
  readonly clock: Clock;
  readonly emit: Emit;
}

/** Takes a line of STDOUT, without its end. No more is read until the promise, if there is one, is fulfilled. */
type Hear = (line: string) => Promise<void> | void;

/** A message of a child is a few hundred bytes; this leaves room for its log lines, and bounds our memory. */
export const STDOUT_LINE_LIMIT_BYTES = 1024 * 1024;
export const STDERR_LINE_LIMIT_BYTES = 256 * 1024;

/** What is shown of a line that was too long. */
const CUT_LINE_SHOWN_BYTES = 1024;

/** How long we go on reading after the child has exited, in case a grandchild keeps its pipes open. */
export const LAST_WORDS_MS = 1_000;

/** How long the kernel may take to end a process after SIGKILL: longer only when it hangs in a driver or a file system. */
const KILL_WAIT_MS = 10_000;

type Subprocess = ReturnType<typeof start>;

export class ChildProcess {
  readonly pid: number;
  readonly argv: readonly string[];
  /** Its end, all that it wrote having been read. Nothing of its process group is left then. */
  readonly exited: Promise<ChildExit>;
  /** The end of its STDOUT, every line before it having been heard. */
  readonly stdoutEnded: Promise<void>;

  readonly #options: ChildOptions;
  readonly #subprocess: Subprocess;
  readonly #lastStdout = new LastWords();
  readonly #lastStderr = new LastWords();
  readonly #stdoutLines = new LineSplitter(STDOUT_LINE_LIMIT_BYTES);
  #toldToEnd = false;
  #hasExited = false;
  #stopped: Promise<void> | undefined;
  #hear: Hear = () => {};

  /** @throws ChildFailed `spawn`. */
  static async start(options: ChildOptions): Promise<ChildProcess> {
    const { file, args } = options.command;
    const subprocess = start(options);
    if (subprocess.pid !== undefined) {
      return new ChildProcess(options, subprocess, subprocess.pid);
    }
    const { code, cause } = await subprocess;
    const cwd = options.cwd ?? process.cwd();
    const { PATH: path } = { ...process.env, ...options.env };
    const { what, advice } = diagnose({ file, cwd, path, code });
    throw new ChildFailed(
      {
        shardId: options.shardId,
        argv: [file, ...args],
        waitingFor: "start",
        reason: "spawn",
        lastStdout: [],
        lastStderr: [],
      },
      what,
      advice,
      { cause },
    );
  }

  private constructor(options: ChildOptions, subprocess: Subprocess, pid: number) {
    this.#options = options;
    this.#subprocess = subprocess;
    this.pid = pid;
    this.argv = [options.command.file, ...options.command.args];
    // A write into a pipe that the child has closed fails by its callback; the event has nothing to add.
    for (const pipe of [subprocess.stdin, subprocess.stdout, subprocess.stderr])
      pipe.on("error", () => {});
    const { shardId, emit } = options;
    rememberGroup(pid);
    emit({ type: "childStarted", shardId, pid, argv: this.argv });
    this.stdoutEnded = this.#readStdout();
    const stderrEnded = this.#readStderr();
    this.exited = this.#watchExit(Promise.all([this.stdoutEnded, stderrEnded]));
  }

  get shardId(): string {
    return this.#options.shardId;
  }

  /** We closed its STDIN or killed it. */
  get toldToEnd(): boolean {
    return this.#toldToEnd;
  }

  /** To be called in the same tick as `start` came back, or lines are missed. */
  listen(hear: Hear): void {
    this.#hear = hear;
  }

  /** Up to 50 lines of each stream, oldest first; on STDOUT also what stands after the last line end. */
  lastWords(): { readonly lastStdout: readonly string[]; readonly lastStderr: readonly string[] } {
    const lastStdout = [...this.#lastStdout.lines()];
    const { unfinished } = this.#stdoutLines;
    if (unfinished.length > 0) {
      lastStdout.push(
        `${unfinished.toString("utf8", 0, CUT_LINE_SHOWN_BYTES)} (without a line end)`,
      );
    }
    return { lastStdout, lastStderr: this.#lastStderr.lines() };
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

  async #watchExit(pipesEnded: Promise<unknown>): Promise<ChildExit> {
    const { shardId, clock, emit } = this.#options;
    const exit = await new Promise<ChildExit>((resolve) => {
      this.#subprocess.once("exit", (exitCode, signal) => {
        resolve({ ...(exitCode !== null && { exitCode }), ...(signal !== null && { signal }) });
      });
    });
    this.#hasExited = true;
    const enough = new AbortController();
    await Promise.race([pipesEnded, clock.sleep(LAST_WORDS_MS, enough.signal)]);
    enough.abort();
    // Grandchildren that outlived it: whoever still had something to say has had the time.
    signalGroup(this.pid, "SIGKILL");
    forgetGroup(this.pid);
    this.#closePipes();
    emit({ type: "childExited", shardId, pid: this.pid, ...exit, expected: this.#toldToEnd });
    return exit;
  }

  #closePipes(): void {
    const { stdin, stdout, stderr } = this.#subprocess;
    for (const pipe of [stdin, stdout, stderr]) pipe.destroy();
  }

  async #readStdout(): Promise<void> {
    await readLines(this.#subprocess.stdout, this.#stdoutLines, ({ bytes, cut }) => {
      this.#lastStdout.add(bytes);
      if (!cut) return this.#hear(bytes.toString());
      this.#tell("stdout", cutLine(bytes, STDOUT_LINE_LIMIT_BYTES));
    });
  }

  async #readStderr(): Promise<void> {
    const lines = new LineSplitter(STDERR_LINE_LIMIT_BYTES);
    await readLines(this.#subprocess.stderr, lines, ({ bytes, cut }) => {
      this.#lastStderr.add(bytes);
      this.#tell("stderr", cut ? cutLine(bytes, STDERR_LINE_LIMIT_BYTES) : bytes.toString());
    });
  }

  #tell(stream: "stdout" | "stderr", line: string): void {
    const { shardId, emit } = this.#options;
    emit({ type: "childOutput", shardId, pid: this.pid, stream, line });
  }
}

function start({ command, cwd, env }: ChildOptions) {
  return execa(command.file, command.args, {
    ...(cwd !== undefined && { cwd }),
    env,
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
    // A session and a process group of its own: a Ctrl-C in the terminal reaches the daemon alone.
    detached: true,
    buffer: false,
    reject: false,
  });
}

async function readLines(
  stream: AsyncIterable<Buffer>,
  lines: LineSplitter,
  hear: (line: Line) => Promise<void> | void,
): Promise<void> {
  try {
    for await (const chunk of stream) {
      for (const line of lines.push(chunk)) {
        // Only for what takes time: nobody gets a turn between two lines that came together.
        const busy = hear(line);
        if (busy !== undefined) await busy;
      }
    }
  } catch {
    // A pipe that breaks, or that we closed, has ended.
  }
  const last = lines.end();
  if (last) await hear(last);
}

function cutLine(bytes: Buffer, limitBytes: number): string {
  const shown = bytes.toString("utf8", 0, CUT_LINE_SHOWN_BYTES);
  return `${shown}… (a line of more than ${limitBytes} bytes: the rest of it is skipped)`;
}
