// Java's daemon and ours on one stream and one table: they come, are killed, stopped and come back while the stream is
// resharded. Only with INTEROP=1, for it needs Java, Maven and some minutes. See README.md here.

import { afterAll, describe, expect, inject, it } from "vitest";
import { Scope } from "../../src/sample/scope.ts";
import { useDynamo } from "../bench/services.ts";
import { createStream } from "../support/emulators.ts";
import type { JavaRelease } from "./javaDaemon.ts";
import { MixedFleet } from "./mixedFleet.ts";

const { INTEROP, FLEETS } = process.env;
const LIMIT_MS = 900_000;
const SHARDS = 4;

interface Kind {
  readonly name: string;
  readonly java: JavaRelease;
  /** A leader assigns the leases, by what they bring rather than by number. */
  readonly led: boolean;
}

const KINDS: readonly Kind[] = [
  { name: "2.5.4", java: { daemon: "2.5.4" }, led: false },
  { name: "3.1.3", java: { daemon: "3.1.3" }, led: true },
  { name: "3.5.1", java: { daemon: "3.1.3", core: "3.5.1" }, led: true },
].filter(({ name }) => !FLEETS || FLEETS.split(",").includes(name));

const scope = new Scope();
let dynamo: Promise<string> | undefined;
const took: string[] = [];

describe.skipIf(!INTEROP)("a fleet of both kinds", () => {
  afterAll(async () => {
    await scope.close();
    if (took.length > 0) console.log(`\n${took.join("\n")}\n`);
  });

  it.each(KINDS)(
    "with Java $name loses nothing whatever happens",
    { timeout: LIMIT_MS },
    async (kind) => {
      const used = new Scope();
      try {
        await live(kind, used);
      } finally {
        await used.close();
      }
    },
  );
});

async function live({ name, java, led }: Kind, used: Scope): Promise<void> {
  dynamo ??= useDynamo(scope, true);
  const dynamoUrl = await dynamo;
  const stream = await createStream(`mixed-${name.replaceAll(".", "-")}`, SHARDS);
  const options = { stream, dynamoUrl, kinesisUrl: inject("kinesisUrl"), java };
  const fleet = await MixedFleet.open(options, used);
  const tell = (what: string, seconds: number) => {
    took.push(`Java ${name}: ${what}: ${seconds.toFixed(1)} s`);
    console.log(took.at(-1));
  };
  const verdict = async () => {
    const { problems } = await fleet.findings();
    expect(problems.filter((problem) => !problem.startsWith("LOST"))).toEqual([]);
    expect(fleet.foreignWrites()).toEqual([]);
  };
  // Java 2.x counts leases of finished shards as work, so after a reshard its share may look small.
  let resharded = false;
  const shared = (a: string, b: string) => (shares: Readonly<Record<string, number>>) => {
    const [mine = 0, theirs = 0, all = 0] = [shares[a], shares[b], sum(shares)];
    const least = led || resharded ? 1 : Math.floor(all / 2);
    return mine + theirs === all && Math.min(mine, theirs) >= least;
  };
  const allOf = (owner: string) => (shares: Readonly<Record<string, number>>) =>
    sum(shares) > 0 && shares[owner] === sum(shares);

  const first = await fleet.start("java", "java-1");
  tell(
    "a new application, until Java has all leases",
    await fleet.untilShares("Java to have all", allOf("java-1")),
  );
  const node = await fleet.start("node", "node-1");
  tell(
    "Node joins, until it has its share",
    await fleet.untilShares("a share", shared("java-1", "node-1")),
  );
  await verdict();

  await fleet.reshard();
  resharded = true;
  const began = performance.now();
  await fleet.untilShares("the children to be read", (shares) => shares["nobody"] === undefined);
  while (!(await fleet.isThrough())) await new Promise((resolve) => setTimeout(resolve, 100));
  tell("a split and a merge, until only children are left", (performance.now() - began) / 1000);
  await verdict();

  fleet.kill(node);
  tell(
    "Node killed, until Java has all",
    await fleet.untilShares("Java to have all", allOf("java-1")),
  );
  const second = await fleet.start("node", "node-2");
  tell(
    "Node joins again, until it has its share",
    await fleet.untilShares("a share", shared("java-1", "node-2")),
  );
  await fleet.terminate(second);
  tell(
    "Node stopped, until Java has all",
    await fleet.untilShares("Java to have all", allOf("java-1")),
  );
  const third = await fleet.start("node", "node-3");
  tell("Node joins a third time", await fleet.untilShares("a share", shared("java-1", "node-3")));
  await verdict();

  await fleet.terminate(first);
  tell(
    "Java stopped, until Node has all",
    await fleet.untilShares("Node to have all", allOf("node-3")),
  );
  const back = await fleet.start("java", "java-2");
  tell(
    "Java returns, until it has a share",
    await fleet.untilShares("a share", shared("java-2", "node-3")),
  );
  await verdict();
  fleet.kill(back);
  tell(
    "Java killed, until Node has all",
    await fleet.untilShares("Node to have all", allOf("node-3")),
  );

  await fleet.drain();
  await fleet.terminate(third);
  const { problems, records, duplicates, causes } = await fleet.findings();
  took.push(
    `Java ${name}: ${records} records, ${duplicates} delivered again (${JSON.stringify(causes)}), ${fleet.writes.length} writes to leases`,
  );
  expect(problems).toEqual([]);
  expect(fleet.foreignWrites()).toEqual([]);
}

function sum(shares: Readonly<Record<string, number>>): number {
  return Object.values(shares).reduce((all, each) => all + each, 0);
}
