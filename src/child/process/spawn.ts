// Starts a program with three pipes in its own process group, or explains why it cannot be started.

import { execa } from "execa";
import { ChildFailed } from "../childFailed.ts";
import { diagnose } from "./startFailure.ts";

/** A program and its arguments, passed to the system unchanged and without a shell. */
export interface Command {
  readonly file: string;
  readonly args: readonly string[];
}

export interface SpawnOptions {
  readonly shardId: string;
  readonly command: Command;
  /** Working directory; the daemon's when absent. */
  readonly cwd?: string;
  /** The whole environment: nothing is inherited. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Program and arguments for logs and errors, with secrets masked. */
  readonly argv: readonly string[];
}

export interface Spawned {
  readonly pid: number;
  readonly subprocess: Subprocess;
}

export type Subprocess = ReturnType<typeof execute>;

/** @throws ChildFailed `spawn`. */
export async function spawn(options: SpawnOptions): Promise<Spawned> {
  const subprocess = execute(options);
  if (subprocess.pid !== undefined) return { pid: subprocess.pid, subprocess };
  const { code, cause } = await subprocess;
  throw notStarted(options, code, cause);
}

function execute({ command, cwd, env }: SpawnOptions) {
  return execa(command.file, command.args, {
    ...(cwd !== undefined && { cwd }),
    env,
    extendEnv: false,
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
    // Its own session and process group: a Ctrl-C in the terminal reaches only the daemon.
    detached: true,
    buffer: false,
    reject: false,
  });
}

function notStarted(options: SpawnOptions, code: string | undefined, cause: unknown): ChildFailed {
  const { shardId, command, argv, env, cwd = process.cwd() } = options;
  const { what, advice } = diagnose({ file: command.file, cwd, path: env["PATH"], code });
  const nothing = { lastStdout: [], lastStderr: [] };
  const facts = { shardId, argv, waitingFor: "start", reason: "spawn", ...nothing } as const;
  return new ChildFailed(facts, what, advice, { cause });
}
