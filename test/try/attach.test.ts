// Processors that a user starts: they connect to `try` and to the daemon, over both kinds of
// socket.

import { writeFileSync } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import split2 from "split2";
import { describe, expect, it, onTestFinished } from "vitest";
import { tryCommand } from "../../src/commands/try.ts";
import { WORD_COUNT } from "../commands/support.ts";
import { MAIN, startDaemon, temporaryFolder } from "../support/daemon.ts";
import { createStream, leaseItems, put, uniqueName } from "../support/emulators.ts";

const PROCESSOR = fileURLToPath(new URL("../fixtures/processors/attached.mjs", import.meta.url));

const KCL1 = fileURLToPath(new URL("../fixtures/processors/kcl1.py", import.meta.url));

/** As a person does in another terminal; what it printed, when it has ended. */
async function startProcessor(address: string): Promise<string> {
  const run = execa(process.execPath, [PROCESSOR, address], { reject: false, stdin: "ignore" });
  onTestFinished(() => void run.kill("SIGKILL"));
  return (await run).stdout;
}

/** `try`, in a process of its own, until it says where it waits. */
async function startTry(records: string, args: readonly string[]) {
  const run = execa(process.execPath, [MAIN, "try", "--records", records, ...args], {
    reject: false,
    stdin: "ignore",
    buffer: true,
  });
  onTestFinished(() => void run.kill("SIGKILL"));
  const address = await new Promise<string>((resolve, reject) => {
    run.stdout.pipe(split2()).on("data", (line: string) => {
      const [, found] = / waiting for a processor to connect to (\S+)/.exec(line) ?? [];
      if (found) resolve(found);
    });
    run.then(
      ({ stdout, stderr }) => reject(new Error(`it ended before it waited: ${stdout}${stderr}`)),
      reject,
    );
  });
  return { run, address };
}

async function place(kind: string): Promise<string> {
  return kind === "tcp" ? "tcp:0" : `unix:${join(await temporaryFolder(), "processor.sock")}`;
}

async function wordsFile(text: string): Promise<string> {
  const file = join(await temporaryFolder(), "words.txt");
  writeFileSync(file, text);
  return file;
}

it("ends an attached processor of KCL 1.x in its dialect", async () => {
  const args = ["--dialect", "kcl1", "--attach", "tcp:0"];
  const { run, address } = await startTry(await wordsFile("cat\ndog\n"), args);
  const [port] = /\d+$/.exec(address) ?? [];
  const script = `exec python3 ${KCL1} <>/dev/tcp/127.0.0.1/${port} >&0`;
  const processor = execa("bash", ["-c", script], { reject: false });
  onTestFinished(() => void processor.kill("SIGKILL"));
  const { stdout, exitCode } = await run;
  expect(stdout).toContain("last checkpoint SHARD_END, all checkpointed");
  expect(exitCode).toBe(0);
  expect((await processor).stderr).toContain("kcl1 shutdown TERMINATE");
});

describe.each(["unix", "tcp"])("over a socket (%s)", (kind) => {
  it("try waits for a processor, and runs it to the end", async () => {
    const { run, address } = await startTry(await wordsFile("cat\ndog\n"), [
      "--attach",
      await place(kind),
    ]);
    expect(await startProcessor(address)).toBe("cat\ndog");
    const { stdout, exitCode } = await run;
    expect(stdout).toContain("2 records in 1 batch, last checkpoint SHARD_END, all checkpointed");
    expect(exitCode).toBe(0);
  });

  it("the daemon waits without a time limit, and waits again after a crash", async () => {
    const stream = await createStream("attach", 1);
    const table = uniqueName("attach");
    const daemon = await startDaemon({
      properties: {
        executableName: "not-needed",
        streamName: stream,
        applicationName: table,
        timeoutInSeconds: 1,
        maxRecords: 1,
      },
      args: ["--attach", await place(kind)],
    });
    const { address } = await daemon.waitFor("waitingForAttachment");
    if (typeof address !== "string") throw new Error(`no address: ${address}`);
    const [first] = await put(stream, ["breakpoint"]);
    const crashed = startProcessor(address);
    await daemon.waitFor(({ event, position }) => {
      return (
        event === "checkpointed" && JSON.stringify(position).includes(`${first?.sequenceNumber}`)
      );
    });
    await put(stream, ["crash"]);
    expect(await crashed).toBe("breakpoint");
    const failed = await daemon.waitFor("childFailed");
    expect(failed.message).toContain(`the processor attached to ${address} ended`);
    // It has its next processor to wait for; we stop in the middle of that.
    await daemon.waitFor(
      () => daemon.events.filter(({ event }) => event === "waitingForAttachment").length > 1,
    );
    expect(await daemon.stop()).toBe(0);
    const [lease] = (await leaseItems(table)).values();
    expect(lease?.["checkpoint"]).toBe(first?.sequenceNumber);
  });
});

it("attaches one shard at a time, and the next when that processor has ended", async () => {
  const stream = await createStream("attach", 2);
  const daemon = await startDaemon({
    properties: { executableName: "x", streamName: stream, applicationName: uniqueName("attach") },
    args: ["--attach", "tcp:0"],
  });
  const inLine = await daemon.waitFor(
    (event) => event.event === "waitingForAttachment" && event["before"] === 1,
  );
  expect(inLine.message).toContain("after 1 other");
  const turns = () => daemon.events.filter((event) => event["before"] === 0).length;
  const address = String(inLine["address"]);
  const first = execa(process.execPath, [PROCESSOR, address], { reject: false });
  const { shardId } = await daemon.waitFor("shardStarted");
  const second = startProcessor(address);
  expect(turns()).toBe(1);
  first.kill("SIGKILL");
  await daemon.waitFor((event) => event.event === "attached" && event.shardId !== shardId);
  expect(turns()).toBe(2);
  expect(await daemon.stop()).toBe(0);
  await Promise.all([first, second]);
});

it("accepts any processor from a shell that supports /dev/tcp", async () => {
  const { run, address } = await startTry(await wordsFile("cat\n"), ["--attach", "tcp:0"]);
  const port = address.split(":").at(-1);
  const command = `${WORD_COUNT.join(" ")} <>/dev/tcp/127.0.0.1/${port} >&0`;
  await execa("bash", ["-c", command], { reject: false });
  const { stdout } = await run;
  expect(stdout).toContain("1 record in 1 batch, last checkpoint SHARD_END, all checkpointed");
});

it("creates a socket that only its owner can use, and replaces one that was left behind", async () => {
  const file = join(await temporaryFolder(), "processor.sock");
  const records = await wordsFile("cat\n");
  const killed = await startTry(records, ["--attach", `unix:${file}`]);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  killed.run.kill("SIGKILL");
  await killed.run;
  const { run, address } = await startTry(records, ["--attach", `unix:${file}`]);
  await startProcessor(address);
  expect((await run).exitCode).toBe(0);
});

async function tryFails(...args: string[]): Promise<unknown> {
  const quiet = tryCommand()
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  return quiet.parseAsync(args, { from: "user" });
}

it("refuses options that cannot be combined", async () => {
  const taken = createServer().listen(join(await temporaryFolder(), "taken.sock"));
  onTestFinished(() => void taken.close());
  const path = String(taken.address());
  await expect(tryFails("--attach", `unix:${path}`)).rejects.toThrow("EADDRINUSE");
  await expect(tryFails("--attach", "tcp:0.0.0.0:1")).rejects.toThrow("Write unix:PATH");
  await expect(tryFails("--attach", "tcp:70000")).rejects.toThrow("Write unix:PATH");
  await expect(tryFails("--attach", "tcp:0", "--shards", "2")).rejects.toThrow("one shard");
  await expect(tryFails("--attach", "tcp:0", "--", "app")).rejects.toThrow('remove "app"');
  await expect(tryFails("--attach", "tcp:0", "--timeout", "1")).rejects.toThrow("no timeout");
  await expect(tryFails()).rejects.toThrow("The processor is missing");
});
