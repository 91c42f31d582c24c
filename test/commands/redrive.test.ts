// The built program's `redrive`, on a file as the daemon writes it.

import { appendFile, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { describe, expect, inject, it } from "vitest";
import type { DeadLetter } from "../../src/model/deadLetter.ts";
import { letter, letters } from "../sinks/letters.ts";
import { MAIN, propertiesFile, temporaryFolder } from "../support/daemon.ts";
import { createStream, emulatorEnv, wordsIn } from "../support/emulators.ts";
import { Journal } from "../support/journal.ts";
import { mischief } from "../support/mischief.ts";

const lines = (given: readonly DeadLetter[]) =>
  given.map((each) => `${JSON.stringify(each)}\n`).join("");

async function fileWith(given: readonly DeadLetter[]): Promise<string> {
  const file = join(await temporaryFolder(), "dead.ndjson");
  await writeFile(file, lines(given));
  return file;
}

function redrive(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return execa(process.execPath, [MAIN, "redrive", ...args], {
    reject: false,
    env: { ...emulatorEnv(), ...env },
  });
}

const word = (text: string) => ({ data: Buffer.from(text).toString("base64") });

describe("redrive --dry-run", () => {
  it("lists the letters and changes nothing", async () => {
    const file = await fileWith([...letters(2), letter(3, { shardId: "other" })]);
    const { stdout, exitCode } = await redrive([file, "--dry-run"]);
    expect(stdout).toContain('shardId-000000000000 1  key "key-1", 6 bytes, 2 attempts');
    expect(stdout).toContain("3 dead letters");
    const shard = await redrive([file, "--dry-run", "--shard", "other"]);
    expect(shard.stdout).toContain("1 dead letter in");
    expect([exitCode, shard.exitCode]).toEqual([0, 0]);
    await expect(readFile(`${file}.redriven`)).rejects.toThrow("ENOENT");
    await expect(readFile(`${file}.lock`)).rejects.toThrow("ENOENT");
  });
});

describe("redrive --to-stream", () => {
  it("puts each record on the stream once, even when it runs again", async () => {
    const stream = await createStream("redrive", 1);
    const file = await fileWith([...letters(3), letter(2)]);
    const first = await redrive([file, "--to-stream", stream]);
    expect(first.stdout).toContain(`3 dead letters from ${file} went to stream ${stream}`);
    expect(first.exitCode).toBe(0);
    expect(await wordsIn(stream)).toEqual(["word-1", "word-2", "word-3"]);

    const again = await redrive([file, "--to-stream", stream]);
    expect(again.stdout).toContain("0 dead letters");
    expect(again.stdout).toContain("were redriven before");
    await appendFile(file, lines([letter(4)]));
    await redrive([file, "--to-stream", stream]);
    expect(await wordsIn(stream)).toEqual(["word-1", "word-2", "word-3", "word-4"]);
  });

  it("redrives a record again that was dead-lettered again", async () => {
    const stream = await createStream("redrive-again", 1);
    const file = await fileWith([letter(1)]);
    await redrive([file, "--to-stream", stream]);
    await appendFile(file, lines([letter(1, { buriedAt: "2999-01-01T00:00:00.000Z" })]));
    await redrive([file, "--to-stream", stream]);
    expect(await wordsIn(stream)).toEqual(["word-1", "word-1"]);
  });

  it("redrives the letters of one shard, skips incomplete ones and leaves those without payload", async () => {
    const stream = await createStream("redrive-some", 1);
    const { data, ...bare } = letter(3, { dataOmitted: true });
    expect(data).toBeDefined();
    const file = await fileWith([letter(1), letter(2, { shardId: "other" }), bare]);
    await appendFile(file, lines([letter(4)]).slice(0, 50));
    const args = [file, "--to-stream", stream, "--shard", "shardId-000000000000"];
    const { stdout, exitCode } = await redrive(args);
    expect(stdout).toContain("1 dead letter from");
    expect(stdout).toContain("1 has no payload and stays");
    expect(stdout).toContain("1 incomplete piece was skipped");
    expect(exitCode).toBe(1);
    expect(await wordsIn(stream)).toEqual(["word-1"]);
  });

  it("takes the file, the endpoint and the records' stream from a properties file", async () => {
    const stream = await createStream("redrive-home", 1);
    const file = await fileWith(letters(2, { streamName: stream }));
    const properties = await propertiesFile({
      executableName: "cat",
      applicationName: "app",
      streamName: "elsewhere",
      kinesisEndpoint: inject("kinesisUrl"),
      onFailureDestination: `file:${file}`,
      maximumRetryAttempts: 1,
    });
    const { exitCode } = await redrive(["-p", properties, "--to-stream"]);
    expect(exitCode).toBe(0);
    expect(await wordsIn(stream)).toEqual(["word-1", "word-2"]);
  });

  it("leaves the letters unchanged when the stream does not exist", async () => {
    const file = await fileWith(letters(2));
    const { exitCode, stderr } = await redrive([file, "--to-stream", "no-such-stream"]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("no-such-stream");
    const { stdout } = await redrive([file, "--dry-run"]);
    expect(stdout).toContain("2 dead letters");
  });
});

describe("redrive -- COMMAND", () => {
  it("sends records to a processor, and keeps the letters that it cannot process", async () => {
    const journal = await Journal.create();
    const file = await fileWith([
      letter(1, word("word-1")),
      letter(2, word("poison-2")),
      letter(3, word("word-3")),
      letter(4, { shardId: "other", ...word("word-4"), subSequenceNumber: 5 }),
    ]);
    const command = mischief().replaceAll('"', "").split(" ");
    const first = await redrive([file, "--", ...command], journal.env);
    expect(first.stdout).toContain("3 dead letters");
    expect(first.stdout).toContain("1 could not be processed and stays");
    expect(first.stderr).toContain("cannot digest poison-2");
    expect(first.exitCode).toBe(1);
    expect(await journal.words()).toEqual(["word-4", "word-1", "word-3"]);

    const second = await redrive([file, "--", ...command], { ...journal.env, MISCHIEF: "off" });
    expect(second.stdout).toContain("1 dead letter from");
    expect(second.exitCode).toBe(0);
    expect((await journal.words()).toSorted()).toEqual(["poison-2", "word-1", "word-3", "word-4"]);
    expect((await journal.actions("other")).slice(-3)).toEqual([
      "acknowledged",
      "leaseLost",
      "end",
    ]);
  });

  it("works with a processor of KCL 1.x, whose last message has another form", async () => {
    const file = await fileWith([
      letter(1, word("cat")),
      letter(2, { shardId: "other", ...word("dog") }),
      letter(3, { shardId: "third", ...word("cow") }),
    ]);
    const path = fileURLToPath(new URL("../fixtures/processors/kcl1.py", import.meta.url));
    const { stdout, stderr, exitCode } = await redrive([file, "--", "python3", path, "die"]);
    expect(stdout).toContain("3 dead letters");
    expect(exitCode).toBe(0);
    expect(stderr.match(/kcl1 shutdown ZOMBIE/g)).toHaveLength(3);

    const later = await fileWith([letter(1, word("cat"))]);
    const command = ["--", "python3", path, "die", "sequenceNumber"];
    const forced = await redrive([later, "--dialect", "kcl2", ...command]);
    expect(forced.exitCode).toBe(1);
    expect(forced.stderr).toContain("set --dialect kcl1");
  });

  it("stops when the processor always fails, and marks nothing as redriven", async () => {
    const file = await fileWith(letters(20));
    const { exitCode, stderr } = await redrive([file, "--", "false"]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("5 failures in a row");
    const { stdout } = await redrive([file, "--dry-run"]);
    expect(stdout).toContain("20 dead letters");
  });
});

describe("redrive", () => {
  it.each([
    ["no target", ["FILE"], "either --to-stream"],
    ["two targets", ["FILE", "--to-stream", "x", "--", "cat"], "either --to-stream"],
    ["no file", ["--to-stream", "x"], "Name the file"],
    ["two files", ["FILE", "FILE", "--to-stream", "x"], "Expected one source of dead letters"],
    ["a file that does not exist", ["/no/such/file", "--to-stream", "x"], "cannot be read"],
    [
      "a topic",
      ["sns:arn:aws:sns:eu-west-1:123456789012:x", "--to-stream", "x"],
      "cannot be redriven from",
    ],
  ])("with %s is an error that says what to do", async (_what, args, message) => {
    const file = await fileWith(letters(1));
    const { exitCode, stderr } = await redrive(args.map((arg) => (arg === "FILE" ? file : arg)));
    expect(exitCode).toBe(1);
    expect(stderr).toContain(message);
  });

  it("does not begin while another process redrives the same file", async () => {
    const file = await fileWith(letters(1));
    await writeFile(`${file}.lock`, "4711\n");
    const { exitCode, stderr } = await redrive([file, "--to-stream", "x"]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("Process 4711 is redriving");
    await rm(`${file}.lock`);
  });
});
