// The daemon as containers run it: as process 1 or under an init, stopped by a signal to it alone,
// drained and resumed.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { INIT } from "../../src/host/reapOrphans.ts";
import { fixture } from "../child/support.ts";
import { laterRequest, startDaemon } from "../support/daemon.ts";
import { createStream, leaseItems, put, until } from "../support/emulators.ts";
import { Journal } from "../support/journal.ts";

const words = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => `word-${from + index}`);

async function owners(tableName: string): Promise<readonly (string | undefined)[]> {
  return [...(await leaseItems(tableName)).values()].map(({ leaseOwner }) => leaseOwner);
}

describe("SIGUSR2", () => {
  it("makes the daemon release all leases, the next one makes it take them again, and no word is delivered twice", async () => {
    const stream = await createStream("drain", 3);
    const journal = await Journal.create();
    await put(stream, words(0, 60));
    const daemon = await startDaemon({
      properties: {
        executableName: journal.command(),
        applicationName: stream,
        streamName: stream,
        workerId: "me",
      },
      env: journal.env,
    });
    await until("the first words", async () => (await journal.words()).length === 60);
    daemon.signal("SIGUSR2");
    await daemon.waitFor("drained");
    expect(await owners(stream)).toEqual([undefined, undefined, undefined]);
    for (const [shardId] of await journal.read()) {
      const actions = await journal.actions(shardId);
      expect(actions.slice(-4)).toEqual(["shutdownRequested", "acknowledged", "leaseLost", "end"]);
    }
    await put(stream, words(60, 120));
    daemon.signal("SIGUSR2");
    await until("all words", async () => (await journal.words()).length >= 120);
    expect((await journal.words()).toSorted()).toEqual(words(0, 120).toSorted());
    expect(await owners(stream)).toEqual(["me", "me", "me"]);
    expect(await daemon.stop()).toBe(0);
  });

  it("leaves a daemon that can still be stopped, and a peer takes its shards at once", async () => {
    const stream = await createStream("drain", 2);
    const journal = await Journal.create();
    const start = (workerId: string) =>
      startDaemon({
        properties: {
          executableName: journal.command(),
          applicationName: stream,
          streamName: stream,
          workerId,
          // Long enough that nobody takes a lease that was not released.
          failoverTimeMillis: 30_000,
        },
        env: journal.env,
      });
    const first = await start("first");
    await until("the first to have both", async () => {
      return (await owners(stream)).filter((owner) => owner === "first").length === 2;
    });
    first.signal("SIGUSR2");
    await first.waitFor("drained");
    const second = await start("second");
    await put(stream, words(0, 20));
    await until("all words", async () => (await journal.words()).length === 20);
    expect(await owners(stream)).toEqual(["second", "second"]);
    expect(await first.stop()).toBe(0);
    expect(await second.stop()).toBe(0);
  });

  it("twice in a row leaves the daemon at work", async () => {
    const stream = await createStream("drain", 1);
    const journal = await Journal.create();
    const daemon = await startDaemon({
      properties: {
        executableName: journal.command(),
        applicationName: stream,
        streamName: stream,
      },
      env: journal.env,
    });
    await daemon.waitFor("shardStarted");
    daemon.signal("SIGUSR2");
    await daemon.waitFor("drainRequested");
    daemon.signal("SIGUSR2");
    await daemon.waitFor("resumed");
    await put(stream, words(0, 10));
    await until("all words", async () => (await journal.words()).length === 10);
    expect(await daemon.stop()).toBe(0);
  });
});

/** A process namespace of its own, whose process 1 is what follows. */
const NAMESPACE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"];
const canUnshare = (() => {
  try {
    execFileSync("unshare", [...NAMESPACE.slice(1), "true"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

const read = (file: string) => {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
};

const childrenOf = (pid: number) =>
  read(`/proc/${pid}/task/${pid}/children`).split(" ").filter(Boolean).map(Number);

/** Children that have ended and were not waited for. */
const zombiesOf = (pid: number) =>
  childrenOf(pid).filter((child) => read(`/proc/${child}/stat`).includes(") Z "));

/** The daemon as process 1, or as its only child, with a processor that leaves orphans behind. */
async function startInContainer(init: readonly string[]) {
  const stream = await createStream("container", 1);
  await put(stream, words(0, 5));
  const daemon = await startDaemon({
    properties: {
      executableName: `"${process.execPath}" "${fixture("leaves-orphans.js")}"`,
      applicationName: stream,
      streamName: stream,
      checkpointPolicy: "onBatchSuccess",
    },
    under: [...NAMESPACE, ...init],
  });
  await daemon.waitFor("checkpointed");
  const [processOne = 0] = childrenOf(daemon.pid);
  return { daemon, processOne, stream };
}

/** Node can put an init in its place from 22.15 on. */
const nodeCanExec = "execve" in process;

describe.skipIf(!canUnshare)("in a container", () => {
  it("the daemon stops gracefully on SIGTERM as process 1, and reports what it cannot reap", async () => {
    const { daemon, processOne, stream } = await startInContainer([]);
    process.kill(processOne, "SIGTERM");
    expect(await daemon.ended).toBe(0);
    expect(await owners(stream)).toEqual([undefined]);
    const advised = daemon.events.some(({ message }) => message.includes("docker run --init"));
    expect(advised).toBe(!nodeCanExec);
  });

  it("under a shell as process 1, orphans are reaped, and signals and the exit code are passed on", async () => {
    const init = ["sh", "-c", INIT, "kinesis-multilang-init"];
    const { daemon, processOne, stream } = await startInContainer(init);
    await until("the daemon to be alone", () => childrenOf(processOne).length === 1);
    expect(zombiesOf(processOne)).toEqual([]);
    process.kill(processOne, "SIGUSR2");
    await daemon.waitFor("drained");
    process.kill(processOne, "SIGUSR2");
    await daemon.waitFor("resumed");
    process.kill(processOne, "SIGTERM");
    expect(await daemon.ended).toBe(0);
    expect(await owners(stream)).toEqual([undefined]);
  });

  it("a second SIGTERM ends the daemon at once, also through the shell", async () => {
    const stream = await createStream("container", 1);
    const daemon = await startDaemon({
      properties: {
        executableName: "sleep 600",
        applicationName: stream,
        streamName: stream,
        shutdownGraceMillis: 600_000,
      },
      under: [...NAMESPACE, "sh", "-c", INIT, "kinesis-multilang-init"],
    });
    await daemon.waitFor("childStarted");
    const [processOne = 0] = childrenOf(daemon.pid);
    process.kill(processOne, "SIGTERM");
    await daemon.waitFor("stopRequested");
    await laterRequest();
    process.kill(processOne, "SIGTERM");
    expect(await daemon.ended).toBe(143);
  });
});

it("the daemon stops gracefully although nobody reads its log any more", async () => {
  const stream = await createStream("unheard", 1);
  const journal = await Journal.create();
  await put(stream, words(0, 5));
  const daemon = await startDaemon({
    properties: { executableName: journal.command(), applicationName: stream, streamName: stream },
    env: journal.env,
    under: ["sh", "-c", `"$@" 2>&1 >/dev/null | head -n 5`, "sh"],
  });
  await until("all words", async () => (await journal.words()).length === 5);
  await put(stream, words(5, 10));
  await until("the words after it", async () => (await journal.words()).length === 10);
  for (const pid of childrenOf(daemon.pid)) process.kill(pid, "SIGTERM");
  await until("the lease to be released", async () => (await owners(stream))[0] === undefined);
});
