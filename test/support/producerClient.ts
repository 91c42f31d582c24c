// What every producer client must do, shown with its sample program, the real producer and a
// Kinesis over HTTP. A second program of each language calls the rest of its API.

import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished, type TestContext } from "vitest";
import type { Command, Language } from "../../src/local/languages.ts";
import { MAIN, temporaryFolder } from "./daemon.ts";
import { until } from "./emulators.ts";
import { processesWith } from "./processes.ts";
import { type PutKinesisOptions, startPutKinesis, userRecords } from "./putKinesis.ts";
import { buildSample, needLanguage } from "./toolchains.ts";

const TAP = fileURLToPath(new URL("../fixtures/tapProducer.mjs", import.meta.url));

export async function kinesisFor(options: PutKinesisOptions = {}) {
  const kinesis = await startPutKinesis(options);
  onTestFinished(() => kinesis.stop());
  return kinesis;
}

/** The producer's command line, as a client finds it in the environment. */
export function producerCommand(url: string, ...more: readonly string[]): string {
  const command = [process.execPath, MAIN, "produce", "--protocol", "-s", "words"];
  return [...command, "--endpoint", url, ...more].join(" ");
}

/** Starts a program that uses a client. */
export function startClient(
  [program, ...args]: Command,
  producer: string,
  env: Readonly<Record<string, string>> = {},
) {
  const child = spawn(program, args, {
    env: {
      ...process.env,
      AWS_ACCESS_KEY_ID: "local",
      AWS_SECRET_ACCESS_KEY: "local",
      KINESIS_MULTILANG_PRODUCER: producer,
      // No __pycache__ in what is going to be packed.
      PYTHONDONTWRITEBYTECODE: "1",
      ...env,
    },
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const stdout: string[] = [];
  const stderr: string[] = [];
  child.stdout.setEncoding("utf8").on("data", (text: string) => stdout.push(text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => stderr.push(text));
  const ended = once(child, "close").then(([code]) => ({
    code: code as number | null,
    lines: stdout.join("").split("\n").filter(Boolean),
    stderr: stderr.join(""),
  }));
  return { child, ended };
}

/** Declares the tests of a language's producer client. */
export function testProducerClient(language: Language): void {
  const sample = async (context: TestContext): Promise<Command> => {
    const { producer } = await needLanguage(context, language);
    if (!producer) throw new Error(`${language} has no producer`);
    return buildSample(producer);
  };

  it("stores each record where its result says, and in order", async (context) => {
    const command = await sample(context);
    const kinesis = await kinesisFor({ shards: 2 });
    const { child, ended } = startClient(command, producerCommand(kinesis.url));
    const keys = ["cats", "dogs", "ключ"];
    const texts = Array.from({ length: 300 }, (_, index) => `${index} é\u2028"\\ 🐈`);
    child.stdin.end(texts.map((text, index) => `${keys[index % 3]}\t${text}\n`).join(""));
    const { code, lines, stderr } = await ended;
    expect(code, stderr).toBe(0);
    const read = new Map(
      userRecords(kinesis.stored).map(({ data, key, ...place }) => [
        `${key}\t${data}`,
        `stored ${place.shardId} ${place.sequenceNumber} ${place.subSequenceNumber}`,
      ]),
    );
    expect(lines).toEqual(texts.map((text, index) => read.get(`${keys[index % 3]}\t${text}`)));
    for (const key of keys) {
      const stored = userRecords(kinesis.stored).filter((record) => record.key === key);
      const numbers = stored.map(({ data }) => Number.parseInt(String(data), 10));
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    }
  });

  it("reports a refused record by its name, and stores the others", async (context) => {
    const command = await sample(context);
    const kinesis = await kinesisFor();
    const { child, ended } = startClient(command, producerCommand(kinesis.url));
    child.stdin.end(`k\tone\n\tempty key\nk\t${"x".repeat(2 ** 20)}\nk\tfour\n`);
    const { code, lines } = await ended;
    expect(lines).toEqual([
      expect.stringMatching(/^stored shardId-/),
      "failed InvalidRecord",
      "failed RecordTooLarge",
      expect.stringMatching(/^stored shardId-/),
    ]);
    expect(code).toBe(1);
  });

  it("writes no more than its credit", async (context) => {
    const command = await sample(context);
    const folder = await temporaryFolder();
    const [properties, log] = [join(folder, "p.properties"), join(folder, "tap.log")];
    const leastCredit = async () =>
      Math.min(...(await readFile(log, "utf8")).trim().split("\n").map(Number));
    // Nothing is stored until there is no credit for another record, which may be sent as base64.
    const spent = async () => {
      await until("the credit to be spent", async () => (await leastCredit()) < 140_000, 120_000);
      return undefined;
    };
    const kinesis = await kinesisFor({ before: spent });
    await writeFile(properties, `maxInFlightBytes = ${CREDIT_BYTES}\n`);
    const producer = producerCommand(kinesis.url, "-p", properties);
    const tapped = `${process.execPath} ${TAP} ${log} ${producer}`;
    const { child, ended } = startClient(command, tapped);
    child.stdin.end(`k\t${"x".repeat(100_000)}\n`.repeat(40));
    const { code, stderr } = await ended;
    expect(code, stderr).toBe(0);
    expect(userRecords(kinesis.stored)).toHaveLength(40);
    expect(await leastCredit()).toBeGreaterThanOrEqual(0);
  });

  it("fails every record without an outcome when the producer is killed", async (context) => {
    const command = await sample(context);
    // It takes the records, and never answers.
    const kinesis = await kinesisFor({ before: () => new Promise<undefined>(() => {}) });
    const mark = `PRODUCER_UNDER_TEST=${randomUUID()}`;
    const [name = "", value = ""] = mark.split("=");
    const { child, ended } = startClient(command, producerCommand(kinesis.url), { [name]: value });
    child.stdin.end("k\tone\nk\ttwo\nk\tthree\n");
    await until("the records to be taken", () => kinesis.calls() > 0);
    const others = (await processesWith(mark)).filter((pid) => pid !== child.pid);
    expect(others).toHaveLength(1);
    for (const pid of others) process.kill(pid, "SIGKILL");
    const { code, lines } = await ended;
    expect(lines).toEqual(Array(3).fill("failed ProducerDied"));
    expect(code).toBe(1);
  });

  it("ends with an error when the producer does not start", async (context) => {
    const command = await sample(context);
    const { child, ended } = startClient(command, producerCommand("no-url"));
    child.stdin.on("error", () => {});
    child.stdin.end("k\tone\n");
    const { code, lines, stderr } = await ended;
    expect(code).toBe(1);
    expect(lines).toEqual([]);
    expect(stderr).toMatch(/ProducerDied|has ended with code 1/);
  });
}

/** The bounds of the property allow no less. */
const CREDIT_BYTES = 2 ** 20;

/**
 * Runs a program that puts 20 records with bytes from 0 to 255 and a hash key, flushes, asks for
 * metrics, lets a record fail, and closes. It writes what it received as one line of JSON.
 */
export async function expectWholeApi(
  command: Command,
  connection: "pipe" | "socket",
): Promise<void> {
  const kinesis = await kinesisFor({ shards: 2 });
  const path = join(await temporaryFolder(), "p.sock");
  const env: Record<string, string> = {};
  if (connection === "socket") {
    const serving = spawn(
      process.execPath,
      [MAIN, "produce", "--listen", `unix:${path}`, "-s", "words", "--endpoint", kinesis.url],
      {
        env: { ...process.env, AWS_ACCESS_KEY_ID: "local", AWS_SECRET_ACCESS_KEY: "local" },
        stdio: "ignore",
      },
    );
    onTestFinished(() => void serving.kill("SIGKILL"));
    await until("the socket", () => existsSync(path));
    env["PRODUCER_SOCKET"] = path;
  }
  const { child, ended } = startClient(command, producerCommand(kinesis.url), env);
  child.stdin.end();
  const { code, lines, stderr } = await ended;
  expect(code, stderr).toBe(0);
  expect(JSON.parse(lines[0] ?? "")).toEqual({
    shards: ["shardId-000000000001"],
    attempts: [true],
    flushed: 0,
    received: 20,
    failed: "InvalidRecord",
    afterClose: "Closed",
    totals: [20, 1, 0],
  });
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  const read = userRecords(kinesis.stored);
  expect(read.map(({ data }) => data)).toEqual(Array(20).fill(bytes));
}
