// A file for dead letters keeps every letter, with several writers and after incomplete writes.

import { appendFile, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import { parseLetters } from "../../src/deadLetters/parseLetters.ts";
import { FileSink } from "../../src/sinks/file.ts";
import { deadLetterFormat } from "../../src/sinks/letterFormat.ts";
import { openDestination } from "../../src/sinks/openDestination.ts";
import { temporaryFolder } from "../support/daemon.ts";
import { letter, letters, numbersOf } from "./letters.ts";

async function newFile(): Promise<string> {
  return join(await temporaryFolder(), "dead.ndjson");
}

describe("a file for dead letters", () => {
  it("stores one letter a line, and only its owner can read it", async () => {
    const file = await newFile();
    const destination = await FileSink.open(file, deadLetterFormat);
    await destination.send(letters(2));
    await destination.send([letter(3)]);
    const text = await readFile(file, "utf8");
    expect(text.split("\n")).toHaveLength(4);
    expect(parseLetters(text)).toEqual({ letters: letters(3), incomplete: 0 });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it("shows no secret in what the child printed, and leaves the record as it is", async () => {
    const file = await newFile();
    const destination = await FileSink.open(file, deadLetterFormat);
    const found = letter(1, { partitionKey: "aws_secret_access_key=hunter2" });
    const lastStderr = ["failed: aws_secret_access_key=hunter2"];
    await destination.send([{ ...found, cause: { ...found.cause, lastStderr } }]);
    const shown = { ...found.cause, lastStderr: ["failed: aws_secret_access_key=*****"] };
    expect(parseLetters(await readFile(file, "utf8")).letters).toEqual([
      { ...found, cause: shown },
    ]);
  });

  it("that cannot be written is an error before the daemon starts", async () => {
    const folder = await temporaryFolder();
    const service = { credentials: [{ type: "default" }] } as const;
    const services = { kinesis: service, dynamodb: service, cloudwatch: service };
    const context = { settings: { services }, emit: () => {} };
    const text = `file:${join(folder, "no/such/folder")}`;
    await expect(openDestination(text, context)).rejects.toThrow(
      /onFailureDestination = file:.*cannot be written \(ENOENT.*folder must exist/s,
    );
  });

  it("begins a new line after an incomplete one", async () => {
    const file = await newFile();
    const destination = await FileSink.open(file, deadLetterFormat);
    await destination.send([letter(1)]);
    await appendFile(file, JSON.stringify(letter(2)).slice(0, 100));
    await destination.send([letter(3)]);
    const text = await readFile(file, "utf8");
    // Also for readers that do not expect incomplete lines.
    expect(JSON.parse(text.trimEnd().split("\n").at(-1) ?? "")).toEqual(letter(3));
    const { letters: found, incomplete } = parseLetters(text);
    expect(numbersOf(found)).toEqual([1, 3]);
    expect(incomplete).toBe(1);
  });

  it("is read even where a letter follows an incomplete one on the same line", () => {
    const [first, second] = [JSON.stringify(letter(1)), JSON.stringify(letter(2))];
    for (let end = 0; end < first.length; end += 1) {
      const { letters: found } = parseLetters(`${first.slice(0, end)}${second}\n`);
      expect(numbersOf(found)).toEqual([2]);
    }
  });

  it("rejects letters while the disk is full, and stores them afterwards", async () => {
    const file = await newFile();
    const destination = await FileSink.open(file, deadLetterFormat);
    await rename(file, `${file}.moved`);
    await symlink("/dev/full", file);
    await expect(destination.send([letter(1)])).rejects.toThrow("ENOSPC");
    await rm(file);
    await destination.send([letter(1)]);
    expect(numbersOf(parseLetters(await readFile(file, "utf8")).letters)).toEqual([1]);
  });

  it("may be moved away between two letters", async () => {
    const file = await newFile();
    const destination = await FileSink.open(file, deadLetterFormat);
    await destination.send([letter(1)]);
    await rename(file, `${file}.1`);
    await destination.send([letter(2)]);
    expect(numbersOf(parseLetters(await readFile(file, "utf8")).letters)).toEqual([2]);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it("keeps every letter of several processes whole, each with several shards", async () => {
    const file = await newFile();
    await writeFile(file, "", { mode: 0o600 });
    const writer = fileURLToPath(new URL("./writeLetters.mjs", import.meta.url));
    const [processes, shards, batches] = [3, 4, 20];
    await Promise.all(
      Array.from({ length: processes }, (_, index) =>
        execa(process.execPath, [writer, file, String(index), String(shards), String(batches)]),
      ),
    );
    const { letters: found, incomplete } = parseLetters(await readFile(file, "utf8"));
    expect(incomplete).toBe(0);
    expect(new Set(found.map((each) => `${each.shardId}/${each.sequenceNumber}`)).size).toBe(
      processes * shards * batches * 2,
    );
  });
});
