// The file for dead letters: what is said to be in it is in it, whoever else writes and whatever was torn.

import { appendFile, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import { parseLetters } from "../../src/deadLetters/readLetters.ts";
import { FileDestination } from "../../src/sinks/file.ts";
import { temporaryFolder } from "../support/daemon.ts";
import { letter, letters, numbersOf } from "./letters.ts";

async function newFile(): Promise<string> {
  return join(await temporaryFolder(), "dead.ndjson");
}

describe("a file for dead letters", () => {
  it("takes letters one a line, and is its owner's alone", async () => {
    const file = await newFile();
    const destination = await FileDestination.open(file);
    await destination.send(letters(2));
    await destination.send([letter(3)]);
    const text = await readFile(file, "utf8");
    expect(text.split("\n")).toHaveLength(4);
    expect(parseLetters(text)).toEqual({ letters: letters(3), torn: 0 });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it("is there at the start, or the daemon does not start", async () => {
    const folder = await temporaryFolder();
    await expect(FileDestination.open(join(folder, "no/such/folder"))).rejects.toThrow(
      /onFailureDestination = file:.*cannot be written \(ENOENT.*folder must exist/s,
    );
  });

  it("goes on behind a line that was torn", async () => {
    const file = await newFile();
    const destination = await FileDestination.open(file);
    await destination.send([letter(1)]);
    await appendFile(file, JSON.stringify(letter(2)).slice(0, 100));
    await destination.send([letter(3)]);
    const text = await readFile(file, "utf8");
    // Also for readers that know nothing of torn lines.
    expect(JSON.parse(text.trimEnd().split("\n").at(-1) ?? "")).toEqual(letter(3));
    const { letters: found, torn } = parseLetters(text);
    expect(numbersOf(found)).toEqual([1, 3]);
    expect(torn).toBe(1);
  });

  it("is read even where a letter begins in the midst of a torn one", () => {
    const [first, second] = [JSON.stringify(letter(1)), JSON.stringify(letter(2))];
    for (let end = 0; end < first.length; end += 1) {
      const { letters: found } = parseLetters(`${first.slice(0, end)}${second}\n`);
      expect(numbersOf(found)).toEqual([2]);
    }
  });

  it("that cannot be written to is trouble; mended, it takes the letters", async () => {
    const file = await newFile();
    const destination = await FileDestination.open(file);
    await rename(file, `${file}.moved`);
    await symlink("/dev/full", file);
    await expect(destination.send([letter(1)])).rejects.toThrow("ENOSPC");
    await rm(file);
    await destination.send([letter(1)]);
    expect(numbersOf(parseLetters(await readFile(file, "utf8")).letters)).toEqual([1]);
  });

  it("can be moved away between two letters", async () => {
    const file = await newFile();
    const destination = await FileDestination.open(file);
    await destination.send([letter(1)]);
    await rename(file, `${file}.1`);
    await destination.send([letter(2)]);
    expect(numbersOf(parseLetters(await readFile(file, "utf8")).letters)).toEqual([2]);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it("takes the letters of several processes, each with several shards, in one piece", async () => {
    const file = await newFile();
    await writeFile(file, "", { mode: 0o600 });
    const writer = fileURLToPath(new URL("./writeLetters.mjs", import.meta.url));
    const [processes, shards, batches] = [3, 4, 20];
    await Promise.all(
      Array.from({ length: processes }, (_, index) =>
        execa(process.execPath, [writer, file, String(index), String(shards), String(batches)]),
      ),
    );
    const { letters: found, torn } = parseLetters(await readFile(file, "utf8"));
    expect(torn).toBe(0);
    expect(new Set(found.map((each) => `${each.shardId}/${each.sequenceNumber}`)).size).toBe(
      processes * shards * batches * 2,
    );
  });
});
