// The sample, as the first command of the README runs it.

import { randomUUID } from "node:crypto";
import { readdir } from "node:fs/promises";
import { execa } from "execa";
import { describe, expect, it, onTestFinished } from "vitest";
import { MAIN, temporaryFolder } from "../support/daemon.ts";
import { until } from "../support/emulators.ts";
import { processesWith } from "../support/processes.ts";

/** The sample, and what it leaves behind. */
async function startSample(...args: readonly string[]) {
  const folder = await temporaryFolder();
  const mark = `SAMPLE_UNDER_TEST=${randomUUID()}`;
  const [name = "", value = ""] = mark.split("=");
  const child = execa(process.execPath, [MAIN, "sample", ...args], {
    env: { TMPDIR: folder, [name]: value },
    stdin: "ignore",
    all: true,
    reject: false,
  });
  let output = "";
  child.all.on("data", (chunk) => {
    output += String(chunk);
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const left = async () => ({ processes: await processesWith(mark), files: await readdir(folder) });
  return { child, left, output: () => output, mark };
}

const NOTHING = { processes: [], files: [] };

describe("the sample", () => {
  it("counts every word that it puts, and leaves nothing behind", async () => {
    const { child, left, output } = await startSample("--seconds", "2", "--shards", "2");
    const { exitCode } = await child;
    expect(output()).toContain("Every word was counted once.");
    expect(exitCode).toBe(0);
    expect(output()).toMatch(/word +put +counted\n/);
    const [, put, counted] = /^total +(\d+) +(\d+)$/m.exec(output()) ?? [];
    expect(Number(put)).toBeGreaterThan(0);
    expect(counted).toBe(put);
    expect(output()).toMatch(/shardId-000000000001 +\d{50,}/);
    expect(output()).toMatch(/shardId-000000000000 pid=\d+ at=…\d+ lag=\d+ms records=\d+/);
    expect(await left()).toEqual(NOTHING);
  });

  it("writes every word to a file with a connector", async () => {
    const options = ["--seconds", "2", "--shards", "2", "--connect", "file"];
    const { child, left, output } = await startSample(...options);
    const { exitCode } = await child;
    expect(output()).toContain("Every word was counted once.");
    expect(exitCode).toBe(0);
    expect(await left()).toEqual(NOTHING);
  });

  it("shows that a shard ends before its children begin", async () => {
    const { child, output } = await startSample("--seconds", "4", "--shards", "1", "--reshard");
    const { exitCode } = await child;
    expect(output()).toContain("shardId-000000000000 is split");
    expect(output()).toMatch(/shardId-000000000000 +SHARD_END/);
    expect(output()).toMatch(/shardId-000000000002 +(\d{50,}|TRIM_HORIZON)/);
    expect(exitCode).toBe(0);
  });

  it("shuts down gracefully on Ctrl-C, and compares the words", async () => {
    const { child, left, output } = await startSample("--keep-running");
    await until("words to be counted", () => /records=[1-9]/.test(output()));
    child.kill("SIGINT");
    const { exitCode } = await child;
    expect(output()).toContain("Every word was counted once.");
    expect(exitCode).toBe(0);
    expect(await left()).toEqual(NOTHING);
  });

  it("leaves nothing behind on a Ctrl-C while it starts", async () => {
    const { child, left, mark } = await startSample();
    await until("its first child", async () => (await processesWith(mark)).length > 1);
    child.kill("SIGINT");
    await child;
    expect(await left()).toEqual(NOTHING);
  });

  it("leaves nothing behind on a second Ctrl-C", async () => {
    const { child, left, output } = await startSample("--keep-running");
    await until("words to be counted", () => /records=[1-9]/.test(output()));
    child.kill("SIGINT");
    await until("the first to be handled", () => output().includes("Stopping gracefully"));
    child.kill("SIGINT");
    const { exitCode } = await child;
    expect(exitCode).not.toBe(0);
    expect(await left()).toEqual(NOTHING);
  });

  it("puts the words with the producer of the language", async () => {
    const { child, left, output } = await startSample("--seconds", "2", "--produce");
    const { exitCode } = await child;
    expect(output()).toContain("Every word was counted once.");
    expect(exitCode).toBe(0);
    expect(await left()).toEqual(NOTHING);
  });

  it("names the languages that have a producer", async () => {
    const { child, output } = await startSample("--produce", "--language", "php");
    const { exitCode } = await child;
    expect(exitCode).toBe(1);
    expect(output()).toMatch(/php client has no producer\. Allowed with --produce: python/);
  });

  it("refuses an unknown language", async () => {
    const { child, left, output } = await startSample("--language", "cobol");
    const { exitCode } = await child;
    expect(exitCode).toBe(1);
    expect(output()).toMatch(/cobol.*Allowed: python, node/);
    expect(await left()).toEqual(NOTHING);
  });

  it("says what to install when Python is missing", async () => {
    const folder = await temporaryFolder();
    const child = await execa(process.execPath, [MAIN, "sample"], {
      env: { PATH: folder, TMPDIR: folder },
      all: true,
      reject: false,
    });
    expect(child.exitCode).toBe(1);
    expect(child.all).toMatch(/Python 3.*--language node/s);
  });
});
