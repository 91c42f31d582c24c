// Runs Java's daemon and ours on one stream and one table. Workers join, are killed, paused,
// stopped and return while the stream is resharded. For comparison, the same scenario runs with
// only one kind. This needs INTEROP=1, because it takes Java, Maven and some minutes. See
// README.md.

import { afterAll, describe, expect, inject, it } from "vitest";
import { Scope } from "../../src/sample/scope.ts";
import { useDynamo } from "../bench/services.ts";
import { createStream } from "../support/emulators.ts";
import type { JavaRelease } from "./javaDaemon.ts";
import { MixedFleet } from "./mixedFleet.ts";

const { INTEROP, FLEETS } = process.env;
const LIMIT_MS = 1_800_000;
const SHARDS = 4;

interface Kind {
  readonly name: string;
  /** The Java release in the fleet. If absent, all workers are ours. */
  readonly java?: JavaRelease;
  /** Whether a leader assigns the leases, by throughput rather than by number. */
  readonly led: boolean;
  /** Java also plays our role, for comparison. Runs only if its name is given. */
  readonly alone?: boolean;
}

const JAVA: readonly Kind[] = [
  { name: "java 2.5.4", java: { daemon: "2.5.4" }, led: false },
  { name: "java 3.1.3", java: { daemon: "3.1.3" }, led: true },
  { name: "java 3.5.1", java: { daemon: "3.1.3", core: "3.5.1" }, led: true },
];
const MIXED: readonly Kind[] = [{ name: "node", led: false }, ...JAVA];
const ALONE = JAVA.map((kind) => ({ ...kind, name: `${kind.name} alone`, alone: true }));
const KINDS: readonly Kind[] = FLEETS
  ? [...MIXED, ...ALONE].filter(({ name }) => FLEETS.split(",").includes(name))
  : MIXED;

const scope = new Scope();
let dynamo: Promise<string> | undefined;
const took: string[] = [];

describe.skipIf(!INTEROP)("a fleet", () => {
  afterAll(async () => {
    await scope.close();
    if (took.length > 0) console.log(`\n${took.join("\n")}\n`);
  });

  it.each(KINDS)("loses nothing when shared with $name", { timeout: LIMIT_MS }, async (kind) => {
    const used = new Scope();
    try {
      await live(kind, used);
    } finally {
      await used.close();
    }
  });
});

async function live({ name, java, led, alone }: Kind, used: Scope): Promise<void> {
  dynamo ??= useDynamo(scope, true);
  const dynamoUrl = await dynamo;
  const stream = await createStream(`fleet-${name.replaceAll(/[ .]/g, "-")}`, SHARDS);
  const kinesisUrl = inject("kinesisUrl");
  const fleet = await MixedFleet.open(
    { stream, dynamoUrl, kinesisUrl, ...(java && { java }) },
    used,
  );
  const theirs = java ? "java" : "node";
  const ours = alone ? "java" : "node";
  const note = (what: string) => {
    took.push(`${name}: ${what}`);
    console.log(took.at(-1));
  };
  const noteTime = (what: string, seconds: number) => note(`${what}: ${seconds.toFixed(1)} s`);
  const expectNoProblems = async () => {
    const { problems } = await fleet.findings();
    // Records that are still in flight are not lost.
    expectNone([
      ...problems.filter((problem) => !problem.startsWith("LOST")),
      ...fleet.foreignWrites(),
    ]);
  };
  const expectNone = (problems: readonly string[]) => {
    if (!alone) expect(problems).toEqual([]);
    else if (problems.length > 0) note(`${problems.length} problems, the first: ${problems[0]}`);
  };
  // Java 2.x counts leases of finished shards as work. If it joins after a reshard, these may be
  // its whole share.
  let resharded = false;
  const shared = (joins: string, stays: string) => (shares: Readonly<Record<string, number>>) => {
    const [mine = 0, other = 0, all = 0] = [shares[joins], shares[stays], sum(shares)];
    const isContent = resharded && !led && kindOf(joins) === "java";
    const least = isContent ? 0 : led || resharded ? 1 : Math.floor(all / 2);
    return mine + other === all && Math.min(mine, other) >= least;
  };
  const kindOf = (worker: string) => (worker.startsWith("ours") ? ours : theirs);
  const allOf = (owner: string) => (shares: Readonly<Record<string, number>>) =>
    sum(shares) > 0 && shares[owner] === sum(shares);
  const tellShares = async (what: string, holds: Parameters<typeof fleet.untilShares>[1]) =>
    noteTime(what, await fleet.untilShares(what, holds));

  const first = await fleet.start(theirs, "theirs-1");
  await tellShares("a new application, until theirs has all leases", allOf("theirs-1"));
  const node = await fleet.start(ours, "ours-1");
  await tellShares("ours joins, until it has its share", shared("ours-1", "theirs-1"));
  await expectNoProblems();

  await fleet.reshard();
  resharded = true;
  const began = performance.now();
  await fleet.untilShares("the children to be read", (shares) => shares["nobody"] === undefined);
  while (!(await fleet.isThrough())) await new Promise((resolve) => setTimeout(resolve, 100));
  noteTime(
    "a split and a merge, until only child shards are left",
    (performance.now() - began) / 1000,
  );
  await expectNoProblems();

  fleet.kill(node);
  await tellShares("ours killed, until theirs has all", allOf("theirs-1"));
  const second = await fleet.start(ours, "ours-2");
  await tellShares("ours joins again, until it has its share", shared("ours-2", "theirs-1"));
  await fleet.terminate(second);
  await tellShares("ours stopped, until theirs has all", allOf("theirs-1"));
  const third = await fleet.start(ours, "ours-3");
  await tellShares("ours joins a third time, until its share", shared("ours-3", "theirs-1"));
  await expectNoProblems();

  const paused = await fleet.pause(third, "theirs to have all", allOf("theirs-1"));
  noteTime("ours paused, until theirs holds all", paused.seconds);
  const late = await paused.resume();
  note(`ours awake again: ${late} records to children whose leases were gone`);
  if (ours === "node") expect(late).toBe(0);
  await fleet.untilShares("ours to have a share again", shared("ours-3", "theirs-1"));
  await expectNoProblems();
  const other = await fleet.pause(first, "ours to have all", allOf("ours-3"));
  noteTime("theirs paused, until ours holds all", other.seconds);
  note(`theirs awake again: ${await other.resume()} records to children whose leases were gone`);
  await fleet.untilShares("theirs to have a share again", shared("theirs-1", "ours-3"));
  await expectNoProblems();

  await fleet.terminate(first);
  await tellShares("theirs stopped, until ours has all", allOf("ours-3"));
  const last = await fleet.start(theirs, "theirs-2");
  await tellShares("theirs returns, until it has a share", shared("theirs-2", "ours-3"));
  await expectNoProblems();
  fleet.kill(last);
  await tellShares("theirs killed, until ours has all", allOf("ours-3"));

  if (ours === "node") {
    for (const { name: worker, succeeded } of [node, second, third]) {
      const [queries, scans] = [succeeded("Query"), succeeded("Scan")];
      note(`${worker} looked ${queries} times by the index and ${scans} times at all leases`);
      // Only Java's leader creates the index, so it must be used exactly if Java leads.
      expect(queries > 0).toBe(led);
    }
  }
  await fleet.drain();
  await fleet.terminate(third);
  const { problems, records, duplicates, causes } = await fleet.findings();
  const again = `${duplicates} delivered again (${JSON.stringify(causes)})`;
  note(`${records} records, ${again}, ${fleet.writes.length} writes to leases`);
  expectNone([...problems, ...fleet.foreignWrites()]);
}

function sum(shares: Readonly<Record<string, number>>): number {
  return Object.values(shares).reduce((all, each) => all + each, 0);
}
