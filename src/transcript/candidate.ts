// A processor executable under test, in a process group of its own so that nothing of it outlives the test.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { UserError } from "../model/errors.ts";
import { linesOf } from "./lines.ts";

/** Lines of STDERR kept for the report of a failure. */
const KEPT_STDERR_LINES = 20;

export type Heard =
  | { readonly type: "line"; readonly line: string }
  | { readonly type: "end" }
  | { readonly type: "silence" };

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
    // A child that went away is noticed by what it no longer says.
    input.on("error", () => {});
    this.#lines = linesOf(output);
    this.exited = new Promise((resolve) => {
      child.once("exit", (code, signal) => resolve({ code, signal }));
    });
    void this.#keepLastWords(errors);
  }

  /** Throws a UserError when the command cannot be started. */
  static async start(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<Candidate> {
    const [command, ...args] = argv;
    if (command === undefined) throw new UserError("no command was given to run");
    const child = spawn(command, args, { env, stdio: "pipe", detached: true });
    const candidate = new Candidate(child, child.stdin, child.stdout, child.stderr);
    try {
      await once(child, "spawn");
    } catch (error) {
      throw new UserError(`cannot start ${argv.join(" ")}: ${(error as Error).message}`, {
        cause: error,
      });
    }
    return candidate;
  }

  /** The last lines that it wrote to STDERR. */
  get lastWords(): readonly string[] {
    return this.#stderr;
  }

  say(line: string): void {
    this.#input.write(`${line}\n`);
  }

  endInput(): void {
    this.#input.end();
  }

  /** The next line of STDOUT, its end, or silence for so long. */
  async hear(withinMs: number): Promise<Heard> {
    this.#pending ??= this.#lines.next();
    const heard = await within(this.#pending, withinMs);
    if (heard === undefined) return { type: "silence" };
    this.#pending = undefined;
    return heard.done ? { type: "end" } : { type: "line", line: heard.value };
  }

  /** How it ended, or `undefined` when it lives on after so long. */
  exit(withinMs: number): Promise<Exit | undefined> {
    return within(this.exited, withinMs);
  }

  /** SIGKILL to all of its process group. */
  kill(): void {
    try {
      if (this.pid > 0) process.kill(-this.pid, "SIGKILL");
    } catch {
      // The group is gone already.
    }
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
  }

  async #keepLastWords(errors: Readable): Promise<void> {
    try {
      for await (const line of linesOf(errors)) {
        this.#stderr.push(line);
        if (this.#stderr.length > KEPT_STDERR_LINES) this.#stderr.shift();
      }
    } catch {
      // Destroyed by kill().
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
