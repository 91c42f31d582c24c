// Hostile and broken children under the built daemon: each ends in a known state, in bounded time
// and memory, and nothing of them is left behind. What single pieces do about them is tested in
// test/child.

import { readFile } from "node:fs/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { fixture, isRunning } from "../child/support.ts";
import { type DaemonUnderTest, startDaemon } from "../support/daemon.ts";
import { createStream, leaseItems, put, until } from "../support/emulators.ts";
import { processesWith } from "../support/processes.ts";

const WORDS = ["to", "be", "or", "not", "to", "be"];

interface Scene {
  readonly daemon: DaemonUnderTest;
  readonly stream: string;
  /** Of the last record of each shard. */
  readonly last: ReadonlyMap<string, string>;
  /** Process ids of all that came of the daemon, itself included. */
  family(): Promise<readonly number[]>;
  /** The stored checkpoint of a shard. */
  stored(shardId: string): Promise<string | undefined>;
}

/** A daemon, two shards with records in each, and the same child for both. */
async function play(
  child: string,
  properties: Readonly<Record<string, string | number | boolean>> = {},
  args = "",
): Promise<Scene> {
  const stream = await createStream("hostile", 2);
  const last = new Map<string, string>();
  // Keys enough for every shard to get some.
  for (let key = 0; key < 12 || last.size < 2; key++) {
    for (const { shardId, sequenceNumber } of await put(stream, WORDS, `key-${key}`)) {
      last.set(shardId, sequenceNumber);
    }
  }
  const program = child.endsWith(".py") ? "python3" : `"${process.execPath}"`;
  const mark = { HOSTILE_TEST: stream };
  onTestFinished(async () => {
    for (const pid of await processesWith(`HOSTILE_TEST=${stream}`)) process.kill(pid, "SIGKILL");
  });
  const daemon = await startDaemon({
    properties: {
      executableName: `${program} "${fixture(child)}" ${args}`,
      applicationName: stream,
      streamName: stream,
      checkpointPolicy: "onBatchSuccess",
      ...properties,
    },
    env: mark,
  });
  return {
    daemon,
    stream,
    last,
    family: () => processesWith(`HOSTILE_TEST=${stream}`),
    stored: async (shardId) => (await leaseItems(stream)).get(shardId)?.["checkpoint"],
  };
}

/** Every record of the shards was processed, and the daemon knows. */
async function allProcessed({ last, stored }: Scene, shardIds = [...last.keys()]): Promise<void> {
  for (const shardId of shardIds) {
    const wanted = last.get(shardId);
    await until(`${shardId} to be done`, async () => (await stored(shardId)) === wanted, 50_000);
  }
}

/** The daemon ends in order, and everything with it. */
async function endsInOrder({ daemon, family }: Scene, exitCode = 0): Promise<void> {
  expect(await daemon.stop()).toBe(exitCode);
  await allGone({ family });
}

async function allGone({ family }: Pick<Scene, "family">): Promise<void> {
  await until("all processes to be gone", async () => (await family()).length === 0);
}

/** The most memory that it ever had. */
async function peakMib({ daemon }: Scene): Promise<number> {
  const status = await readFile(`/proc/${daemon.pid}/status`, "utf8");
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}

describe("a child that prints", () => {
  it("10 MiB in a line before each answer is understood", async () => {
    const scene = await play("prints-long-line.js", {}, "10");
    await allProcessed(scene);
    expect(await peakMib(scene)).toBeLessThan(250);
    await endsInOrder(scene);
  });

  it("a gigabyte without a line end costs no memory, and continues", async () => {
    const scene = await play("prints-a-gigabyte.py");
    await allProcessed(scene);
    // Two such children at a time.
    expect(await peakMib(scene)).toBeLessThan(250);
    const cut = scene.daemon.events.filter(({ line }) =>
      String(line).includes("without a line end"),
    );
    expect(cut).toHaveLength(2);
    expect(JSON.stringify(cut).length).toBeLessThan(10_000);
    await endsInOrder(scene);
  });

  it("bytes that are not text is understood", async () => {
    const scene = await play("prints-invalid-utf8.js");
    await allProcessed(scene);
    await endsInOrder(scene);
  });

  it("nonsense as fast as it can neither floods the log nor delays another shard", async () => {
    const scene = await play("floods.py");
    await allProcessed(scene);
    const { daemon } = scene;
    const dropped = () => daemon.events.filter(({ event }) => event === "childOutputDropped");
    await until("a hundred thousand lines", () => {
      return dropped().reduce((sum, { lines }) => sum + Number(lines), 0) > 100_000;
    });
    expect(daemon.events.filter(({ event }) => event === "leaseLost")).toEqual([]);
    // A burst on each stream, and a hundred a second for as long as this can have lasted.
    const shown = daemon.events.filter(({ event }) => event === "childOutput");
    expect(shown.length).toBeLessThan(2 * 1_000 + 2 * 100 * 60);
    expect(await peakMib(scene)).toBeLessThan(250);
    await endsInOrder(scene);
  });

  it("forged messages moves no checkpoint that it may not move", async () => {
    const scene = await play("forges.js");
    await allProcessed(scene);
    const { daemon, last, stored } = scene;
    const refused = daemon.events.filter(({ event }) => event === "checkpointRefused");
    expect(new Set(refused.map(({ error }) => error))).toEqual(
      new Set(["IllegalArgumentException"]),
    );
    for (const [shardId, sequenceNumber] of last)
      expect(await stored(shardId)).toBe(sequenceNumber);
    expect(daemon.events.filter(({ event }) => event === "childFailed")).toEqual([]);
    await endsInOrder(scene);
  });

  it("endlessly after its last answer is ignored, and killed", async () => {
    const scene = await play("talks-after-the-end.js", { shutdownGraceMillis: 60_000 });
    await allProcessed(scene);
    await endsInOrder(scene);
    const ends = scene.daemon.events.filter(({ event }) => event === "childExited");
    expect(ends.map(({ signal }) => signal)).toEqual(["SIGKILL", "SIGKILL"]);
    for (const [shardId, sequenceNumber] of scene.last) {
      expect(await scene.stored(shardId)).toBe(sequenceNumber);
    }
  });
});

describe("a child that closes its", () => {
  it.each([
    ["STDIN", "closes-stdin.py"],
    ["STDOUT", "closes-stdout.py"],
  ])("%s is replaced, until its lease is released for another worker", async (pipe, child) => {
    const scene = await play(child, { maxChildRestarts: 1 });
    const { daemon } = scene;
    const failed = (next: string) =>
      daemon.waitFor((event) => event.event === "childFailed" && event["next"] === next);
    expect((await failed("restart")).message).toContain(`closed its ${pipe}`);
    await failed("releaseLease");
    // The lease may be ours again by now, and its child fails in place of saying goodbye.
    const exitCode = await daemon.stop();
    const missed = daemon.events.some(
      (event) => event.event === "childFailed" && event["next"] === "stop",
    );
    expect(exitCode).toBe(missed ? 1 : 0);
    await allGone(scene);
  });
});

describe("a child that leaves a process behind", () => {
  it("and ends is no reason to wait, and its heir is ended", async () => {
    const scene = await play("leaves-grandchild.js");
    await allProcessed(scene);
    await endsInOrder(scene);
  });

  it("takes it along when the daemon is killed", async () => {
    const scene = await play("stays-with-grandchild.js");
    await allProcessed(scene);
    const family = await scene.family();
    // The daemon, two children, a grandchild each.
    expect(family).toHaveLength(5);
    scene.daemon.signal("SIGKILL");
    expect(await scene.daemon.ended).toBe("SIGKILL");
    await until("all to be gone", () => !family.some(isRunning));
  });
});
