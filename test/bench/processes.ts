// Programs that the bench starts. Their output goes to a file, and they end with the bench.

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { preciseNowMs } from "./wait.ts";

export type Command = readonly [program: string, ...args: string[]];

interface StartOptions {
  /** Receives its STDOUT and STDERR. */
  readonly logFile: string;
  readonly env?: Readonly<Record<string, string>>;
}

const KEPT_LOG_CHARS = 2_000;

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export class Program {
  readonly pid: number;
  /** When it was started, in milliseconds since 1970. */
  readonly startedMs: number;
  readonly #name: string;
  readonly #logFile: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<string>;
  #how: string | undefined;

  constructor([program, ...args]: Command, { logFile, env = {} }: StartOptions) {
    mkdirSync(dirname(logFile), { recursive: true });
    const log = openSync(logFile, "w");
    this.startedMs = preciseNowMs();
    const child = spawn(program, args, {
      env: { ...process.env, ...env },
      stdio: ["ignore", log, log],
      // A separate session: Ctrl-C only reaches the bench, which then ends the programs.
      detached: true,
    });
    closeSync(log);
    running.add(child);
    this.#name = program;
    this.#logFile = logFile;
    this.#child = child;
    this.#ended = new Promise((resolve) => {
      const end = (how: string) => {
        running.delete(child);
        this.#how = how;
        resolve(how);
      };
      child.once("error", (error) => end(error.message));
      child.once("exit", (code, signal) => end(signal ?? `exit code ${code}`));
    });
    this.pid = child.pid ?? -1;
  }

  get log(): string {
    return readFileSync(this.#logFile, "utf8");
  }

  /** @throws Error with the end of its output, if it has ended. */
  mustRun(): void {
    if (this.#how === undefined) return;
    const words = this.log.slice(-KEPT_LOG_CHARS);
    throw new Error(`${this.#name} ended (${this.#how}); ${this.#logFile} ends with:\n${words}`);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Sends SIGTERM, and SIGKILL if that takes longer than `limitMs`. */
  async stop(limitMs: number): Promise<void> {
    if (this.#how !== undefined) return;
    this.#child.kill("SIGTERM");
    const timeout = new AbortController();
    const tooLong = sleep(limitMs, "late", { signal: timeout.signal }).catch(() => "ended");
    if ((await Promise.race([this.#ended, tooLong])) === "late") this.#child.kill("SIGKILL");
    timeout.abort();
    await this.#ended;
  }
}

/**
 * Runs a command to its end.
 * @throws Error with its output if the exit code is not 0.
 */
export async function runToEnd(command: Command, cwd: string): Promise<string> {
  const [program, ...args] = command;
  const child = spawn(program, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
  const texts = { out: "", error: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    texts.out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    texts.error += text;
  });
  const how = await new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, signal) => resolve(code === 0 ? "" : (signal ?? `code ${code}`)));
  });
  if (how) throw new Error(`${command.join(" ")}: ${how}\n${texts.error}${texts.out}`);
  return texts.out;
}
