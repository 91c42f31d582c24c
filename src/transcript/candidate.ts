// A record processor or producer under test, in its own process group, so that none of its
// processes outlives the test.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { UserError } from "../model/errors.ts";
import { linesOf } from "./lines.ts";

/** The number of STDERR lines that a failure report shows. */
const KEPT_STDERR_LINES = 20;

export type Received =
  | { readonly type: "line"; readonly line: string }
  | { readonly type: "end" }
  | { readonly type: "timeout" };

export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

export class Candidate {
  readonly pid: number;
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #input: Writable;
  readonly #lines: AsyncGenerator<string, void, void>;
  readonly #stderr: string[] = [];
  #pending: Promise<IteratorResult<string, void>> | undefined;

  private constructor(child: ChildProcess, input: Writable, output: Readable, errors: Readable) {
    this.pid = child.pid ?? 0;
    this.#child = child;
    this.#input = input;
    // A processor that has ended is detected by the end of its output.
    input.on("error", () => {});
    this.#lines = linesOf(output);
    this.exited = new Promise((resolve) => {
      child.once("exit", (code, signal) => resolve({ code, signal }));
    });
    void this.#keepStderr(errors);
  }

  /** @throws UserError when the command cannot be started. */
  static async start(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<Candidate> {
    const [command, ...args] = argv;
    if (command === undefined) throw new UserError("No command was given");
    const child = spawn(command, args, { env, stdio: "pipe", detached: true });
    const candidate = new Candidate(child, child.stdin, child.stdout, child.stderr);
    try {
      await once(child, "spawn");
    } catch (error) {
      throw new UserError(`Cannot start ${argv.join(" ")}: ${(error as Error).message}`, {
        cause: error,
      });
    }
    return candidate;
  }

  /** The last lines that the processor wrote to STDERR. */
  get lastStderr(): readonly string[] {
    return this.#stderr;
  }

  send(line: string): void {
    this.#input.write(`${line}\n`);
  }

  endInput(): void {
    this.#input.end();
  }

  /** The next line of STDOUT, the end of STDOUT, or a timeout. */
  async receive(withinMs: number): Promise<Received> {
    this.#pending ??= this.#lines.next();
    const received = await within(this.#pending, withinMs);
    if (received === undefined) return { type: "timeout" };
    this.#pending = undefined;
    return received.done ? { type: "end" } : { type: "line", line: received.value };
  }

  /** How the processor ended; `undefined` when it is still running after this time. */
  exit(withinMs: number): Promise<Exit | undefined> {
    return within(this.exited, withinMs);
  }

  /** Sends SIGKILL to the whole process group. */
  kill(): void {
    try {
      if (this.pid > 0) process.kill(-this.pid, "SIGKILL");
    } catch {
      // The process group has ended already.
    }
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
  }

  async #keepStderr(errors: Readable): Promise<void> {
    try {
      for await (const line of linesOf(errors)) {
        this.#stderr.push(line);
        if (this.#stderr.length > KEPT_STDERR_LINES) this.#stderr.shift();
      }
    } catch {
      // kill() destroys the stream.
    }
  }
}

async function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
}
