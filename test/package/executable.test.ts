// The single-file executable does the daemon's work from any directory, with nothing of the package
// around it. `npm run executable` makes it.

import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { beforeAll, expect, it } from "vitest";
import { VERSION } from "../../src/package.ts";
import { startDaemon, temporaryFolder } from "../support/daemon.ts";
import { createStream, leaseItems, put, until } from "../support/emulators.ts";
import { Journal } from "../support/journal.ts";

const ROOT = join(import.meta.dirname, "../..");
const BUILD_LIMIT_MS = 300_000;

beforeAll(async () => {
  await execa(process.execPath, [".executable.mjs"], { cwd: ROOT });
}, BUILD_LIMIT_MS);

async function copyOfExecutable(): Promise<{ readonly folder: string; readonly file: string }> {
  const folder = await temporaryFolder();
  const file = join(folder, "kinesis-multilang");
  await copyFile(join(ROOT, "executable/kinesis-multilang"), file);
  return { folder, file };
}

it("names its version, and what it does not contain", async () => {
  const { folder, file } = await copyOfExecutable();
  const version = await execa(file, ["--version"], { cwd: folder });
  expect(version.stdout).toBe(VERSION);
  expect(version.stderr).toBe("");
  for (const command of [["local"], ["sample"], ["conformance", "--", "cat"]]) {
    const { exitCode, stderr } = await execa(file, command, { cwd: folder, reject: false });
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`npx kinesis-multilang ${command.join(" ")}`);
  }
});

it("delivers every record, checkpoints, and releases its leases at the end", async () => {
  const { folder, file } = await copyOfExecutable();
  const stream = await createStream("executable", 2);
  const journal = await Journal.create();
  const words = Array.from({ length: 40 }, (_, index) => `word-${index}`);
  await put(stream, words);
  const daemon = await startDaemon({
    program: [file],
    cwd: folder,
    properties: { executableName: journal.command(), applicationName: stream, streamName: stream },
    env: journal.env,
  });
  await until("all words", async () => (await journal.words()).length >= words.length);
  expect((await journal.words()).toSorted()).toEqual(words.toSorted());
  expect(await daemon.stop()).toBe(0);
  expect(daemon.otherLines).toEqual([]);
  const leases = [...(await leaseItems(stream)).values()];
  expect(leases.map(({ leaseOwner }) => leaseOwner)).toEqual([undefined, undefined]);
});
