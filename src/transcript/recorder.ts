// Runs between a daemon and its child, passes every byte on unchanged, and records the messages.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, writeSync } from "node:fs";
import { constants } from "node:os";
import type { Readable, Writable } from "node:stream";
import { UserError } from "../model/errors.ts";
import { linesOf } from "./lines.ts";
import { Redactor } from "./redact.ts";
import { compact, MAX_EXPANDED_CHARACTERS } from "./template.ts";

export interface RecordOptions {
  readonly argv: readonly [string, ...string[]];
  /** `{shardId}` is replaced. An existing file is never overwritten: the name gets a number. */
  readonly out: string;
  readonly redact: boolean;
  readonly input: Readable;
  readonly output: Writable;
}

/** The most files with the same name. */
const MAX_FILES = 10_000;

/** Runs the child until it ends. @returns the exit code for this process, which takes its place. */
export async function record(options: RecordOptions): Promise<number> {
  const [file, ...args] = options.argv;
  const child = spawn(file, args, { stdio: ["pipe", "pipe", "inherit"] });
  try {
    await once(child, "spawn");
  } catch (error) {
    throw new UserError(`Cannot start ${options.argv.join(" ")}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  const transcript = new TranscriptFile(options);
  const exited = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
  for (const pipe of [child.stdin, options.output]) pipe.on("error", () => {});
  const forward = (signal: NodeJS.Signals) => child.kill(signal);
  process.on("SIGTERM", forward).on("SIGINT", forward);
  const toChild = copy(options.input, child.stdin, (line) => transcript.daemon(line)).then(() => {
    transcript.event("stdin closes");
    child.stdin.end();
  });
  const fromChild = copy(child.stdout, options.output, (line) => transcript.child(line));
  // Only a failure is awaited here: when the child ends, the input may stay open.
  const inputFailed = new Promise<never>((_, reject) => toChild.catch(reject));
  try {
    await Promise.race([fromChild, inputFailed]);
    const [code, signal] = await exited;
    transcript.event(`child exits: ${signal ?? code}`);
    return code ?? 128 + (signal ? constants.signals[signal] : 0);
  } catch (error) {
    // If the conversation cannot be recorded, it ends: to the daemon, its child has failed.
    child.kill("SIGKILL");
    throw error;
  } finally {
    process.off("SIGTERM", forward).off("SIGINT", forward);
    transcript.close();
  }
}

/**
 * Records each line before its end is passed on, so that no answer is recorded before its request.
 */
async function copy(from: Readable, to: Writable, record: (line: string) => void): Promise<void> {
  for await (const line of linesOf(passing(from, to), MAX_EXPANDED_CHARACTERS)) record(line);
}

async function* passing(from: Readable, to: Writable): AsyncGenerator<Buffer, void, void> {
  for await (const chunk of from as AsyncIterable<Buffer>) {
    yield chunk;
    if (!to.write(chunk) && !to.destroyed)
      await Promise.race([once(to, "drain"), once(to, "close")]);
  }
}

/**
 * The file, opened once the shard is known. Each line is written at once, so that a crash loses
 * none.
 */
class TranscriptFile {
  readonly #options: RecordOptions;
  readonly #redactor: Redactor | undefined;
  #fd: number | undefined;

  constructor(options: RecordOptions) {
    this.#options = options;
    this.#redactor = options.redact ? new Redactor() : undefined;
  }

  daemon(line: string): void {
    this.#fd ??= this.#open(line);
    this.#write(`> ${compact(this.#redactor?.daemon(line) ?? line)}`);
  }

  child(line: string): void {
    // The official clients write a blank line before each message; it has no meaning.
    if (line === "") return;
    this.#write(`< ${compact(this.#redactor?.child(line) ?? line)}`);
  }

  event(event: string): void {
    this.#write(`! ${event}`);
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #write(line: string): void {
    this.#fd ??= this.#open("");
    writeSync(this.#fd, `${line}\n`);
  }

  #open(first: string): number {
    const shardId = /"shardId":\s*"([\w.-]{1,200})"/.exec(first)?.[1] ?? "unknown";
    const path = this.#options.out.replaceAll("{shardId}", shardId);
    for (let number = 1; number <= MAX_FILES; number++) {
      const fd = openNew(number === 1 ? path : numbered(path, number));
      if (fd === undefined) continue;
      const { argv, redact } = this.#options;
      writeSync(
        fd,
        `# ${shardId}, recorded ${new Date().toISOString()}${redact ? ", redacted" : ""}.\n`,
      );
      writeSync(
        fd,
        `# ${redact ? argv[0] : argv.join(" ").replaceAll("\n", " ")}\n# applies: client\n\n`,
      );
      return fd;
    }
    throw new UserError(
      `${path} and ${MAX_FILES - 1} numbered files after it exist already. Choose another name with --out`,
    );
  }
}

function openNew(path: string): number | undefined {
  try {
    return openSync(path, "wx", 0o600);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return undefined;
    throw new UserError(`Cannot write the transcript ${path}: ${message}`, { cause: error });
  }
}

/** `words.txt` becomes `words-2.txt`. */
function numbered(path: string, number: number): string {
  const dot = /\.[^./\\]*$/.exec(path)?.index ?? path.length;
  return `${path.slice(0, dot)}-${number}${path.slice(dot)}`;
}
