// Checks what every language's word-count sample must do. A minimal daemon here exchanges messages
// with it over its pipes.

import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import split2 from "split2";
import { expect } from "vitest";
import type { Command } from "../../src/local/languages.ts";

interface Message {
  readonly action?: unknown;
  readonly responseFor?: unknown;
  readonly sequenceNumber?: unknown;
  readonly subSequenceNumber?: unknown;
  readonly [field: string]: unknown;
}

const SHARD = "shardId-000000000007";
/** As long as real sequence numbers, which exceed the precision of floating-point numbers. */
const FIRST = 49590338271490256608559692538361571095921575989136588898n;

/** Runs all scenarios, each in its own process. */
export async function expectWordCount(command: Command): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "word-count-"));
  try {
    await countsToTheEndOfTheShard(command, folder);
    await goesOnFromItsFile(command, folder);
    await beginsAgainWithoutACheckpoint(command, folder);
    await endsWhenItCannotKeepItsCounts(command, folder);
    await reportsOnStderrWithoutAFolder(command);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function countsToTheEndOfTheShard(command: Command, folder: string): Promise<void> {
  const child = new Child(command, folder);
  await child.act(initialize("TRIM_HORIZON"));
  child.send({ action: "dance", step: { left: [1, null, true, 1.5e3] } });
  // The first response is a temporary error, so the client must retry by itself.
  const first = await child.act(words(["cat", "naïve", "cat", "\u2028", "猫"], 0), [
    "ThrottlingException",
    null,
  ]);
  expect(first).toEqual([null, null]);
  await child.act(words(["cat"], 5), []);
  const last = await child.act({ action: "shardEnded" }, [null]);
  expect(last).toEqual([null]);
  expect(await counts(folder)).toEqual({ cat: 3, naïve: 1, "\u2028": 1, 猫: 1 });
  expect(await child.end()).toBe(0);
  expect(child.stderr).toContain("dance");
  expect(child.junk).toEqual([]);
  expect(await readdir(folder)).toEqual([`${SHARD}.json`]);
}

async function goesOnFromItsFile(command: Command, folder: string): Promise<void> {
  await writeFile(join(folder, `${SHARD}.json`), '{ "cat": 3, "\\u732b": 2, "a\\"b\\\\": 1 }\n');
  const child = new Child(command, folder);
  await child.act(initialize(String(FIRST)));
  await child.act(words(["cat", 'a"b\\', "猫"], 10), [null]);
  await child.act({ action: "shutdownRequested" }, [null]);
  expect(await counts(folder)).toEqual({ cat: 4, 猫: 3, 'a"b\\': 2 });
  await child.act({ action: "leaseLost" });
  expect(await child.end()).toBe(0);
}

async function beginsAgainWithoutACheckpoint(command: Command, folder: string): Promise<void> {
  const child = new Child(command, folder);
  await child.act(initialize("TRIM_HORIZON"));
  await child.act(words(["dog"], 0), ["ShutdownException"]);
  await child.act({ action: "leaseLost" });
  expect(await child.end()).toBe(0);
  expect(await counts(folder)).toEqual({ dog: 1 });
}

async function endsWhenItCannotKeepItsCounts(command: Command, folder: string): Promise<void> {
  const child = new Child(command, join(folder, `${SHARD}.json`));
  await child.act(initialize("TRIM_HORIZON"));
  child.send(words(["cat"], 0));
  expect(await child.next()).toBeUndefined();
  expect(await child.end()).toBeGreaterThan(0);
  expect(child.stderr).not.toBe("");
}

async function reportsOnStderrWithoutAFolder(command: Command): Promise<void> {
  const child = new Child(command, undefined);
  await child.act(initialize("TRIM_HORIZON"));
  await child.act(words(["cat", "cat"], 0), [null]);
  await child.act({ action: "shardEnded" }, [null]);
  expect(await child.end()).toBe(0);
  expect(child.stderr).toMatch(/cat\D+2/);
}

const initialize = (sequenceNumber: string): Message => ({
  action: "initialize",
  shardId: SHARD,
  sequenceNumber,
  subSequenceNumber: 0,
});

function words(texts: readonly string[], from: number): Message {
  const records = texts.map((text, index) => ({
    data: Buffer.from(text).toString("base64"),
    partitionKey: `key "${text}"`,
    sequenceNumber: String(FIRST + BigInt(from + index)),
    approximateArrivalTimestamp: 1_700_000_000_123,
    subSequenceNumber: 0,
    action: "record",
  }));
  return { action: "processRecords", records, millisBehindLatest: 0 };
}

async function counts(folder: string): Promise<unknown> {
  return JSON.parse(await readFile(join(folder, `${SHARD}.json`), "utf8"));
}

/** The daemon's side of one process. */
class Child {
  /** Lines on STDOUT that are not messages. */
  readonly junk: string[] = [];
  stderr = "";
  readonly #process;
  readonly #lines: AsyncIterator<string>;

  constructor([program, ...args]: Command, folder: string | undefined) {
    this.#process = execa(program, args, {
      env: { WORD_COUNT_DIR: folder, KINESIS_MULTILANG_PROTOCOL_VERSION: undefined },
      stdin: "pipe",
      buffer: false,
      reject: false,
    });
    this.#lines = this.#process.stdout.pipe(split2("\n"))[Symbol.asyncIterator]();
    this.#process.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    // If the child ended, its STDOUT ends too, and that is reported.
    this.#process.stdin.on("error", () => {});
  }

  send(message: Message): void {
    this.#process.stdin.write(`${JSON.stringify(message)}\n`);
  }

  async next(): Promise<Message | undefined> {
    for (let line = await this.#lines.next(); !line.done; line = await this.#lines.next()) {
      if (line.value === "") continue;
      const message = parseMessage(line.value);
      if (message) return message;
      this.junk.push(line.value);
    }
    return undefined;
  }

  /**
   * Sends an action and reads until its status. Responds to checkpoints with `errors` one by one,
   * then with success.
   *
   * @returns the sequence numbers that were requested.
   */
  async act(message: Message, errors: readonly (string | null)[] = []): Promise<unknown[]> {
    this.send(message);
    const asked: unknown[] = [];
    for (let answer = await this.next(); answer; answer = await this.next()) {
      if (answer.action === "status") {
        expect(answer.responseFor).toBe(message.action);
        return asked;
      }
      expect(answer.action).toBe("checkpoint");
      const { sequenceNumber = null, subSequenceNumber = null } = answer;
      const error = errors[asked.length] ?? null;
      asked.push(sequenceNumber);
      this.send({ action: "checkpoint", sequenceNumber, subSequenceNumber, error });
    }
    throw new Error(`the process ended before it answered ${message.action}:\n${this.stderr}`);
  }

  /** Closes STDIN and returns the exit code. */
  async end(): Promise<number | undefined> {
    this.#process.stdin.end();
    while (await this.next());
    return (await this.#process).exitCode;
  }
}

function parseMessage(line: string): Message | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
