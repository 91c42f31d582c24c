// What an application learns about the dialect of its children, step by step.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ChildDialect, type Ending } from "../../src/child/dialect.ts";
import type { DialectChoice } from "../../src/model/dialect.ts";

const ENDINGS: readonly Ending[] = ["shutdownRequested", "leaseLost", "shardEnded"];

/** The names of the messages for each ending. */
const endings = ({ current }: ChildDialect) =>
  ENDINGS.map((ending) => current[ending]?.action ?? "nothing");

const KCL2 = ["shutdownRequested", "leaseLost", "shardEnded"];
const KCL1 = ["shutdownRequested", "shutdown", "shutdown"];
const FIRST = ["nothing", "shutdown", "shutdown"];

describe("auto", () => {
  it.each([
    ["shardEnded", KCL1],
    ["leaseLost", KCL1],
    ["shutdownRequested", FIRST],
  ])("goes to what has no %s when the first child fails at it", (message, expected) => {
    const dialect = new ChildDialect("auto");
    expect(endings(dialect)).toEqual(KCL2);
    expect(dialect.misunderstood(message)).toMatchObject({ isNew: true });
    expect(endings(dialect)).toEqual(expected);
  });

  it("gives each child that failed with the first dialect the second at once", () => {
    const dialect = new ChildDialect("auto");
    dialect.misunderstood("shardEnded");
    expect(dialect.misunderstood("shardEnded")).toMatchObject({ isNew: true });
    expect(endings(dialect)).toEqual(KCL1);
  });

  it("returns to the first dialect when the second fails too, which is not a change", () => {
    const dialect = new ChildDialect("auto");
    dialect.misunderstood("shardEnded");
    expect(dialect.misunderstood("shutdown")).toMatchObject({ isNew: false });
    expect(endings(dialect)).toEqual(KCL2);
    expect(dialect.isInDoubt("shardEnded")).toBe(false);
  });

  it("keeps a dialect that a child has understood", () => {
    const dialect = new ChildDialect("auto");
    expect(dialect.isInDoubt("shardEnded")).toBe(true);
    dialect.understood("shardEnded");
    expect(dialect.isInDoubt("shardEnded")).toBe(false);
    expect(dialect.misunderstood("shardEnded")).toBeUndefined();
    expect(dialect.sawCheckpointMember()).toBe(false);
    expect(endings(dialect)).toEqual(KCL2);
  });

  it("recognizes a client before KCL 1.7.2 by its checkpoints, once", () => {
    const dialect = new ChildDialect("auto");
    dialect.understood("processRecords");
    expect(dialect.sawCheckpointMember()).toBe(true);
    expect(dialect.sawCheckpointMember()).toBe(false);
    expect(endings(dialect)).toEqual(FIRST);
  });

  it("ignores failures at other messages", () => {
    const dialect = new ChildDialect("auto");
    for (const message of ["initialize", "processRecords", "nothing", "start"]) {
      expect(dialect.misunderstood(message)).toBeUndefined();
    }
    expect(endings(dialect)).toEqual(KCL2);
  });
});

it("a dialect that the user chose is kept, and the advice names the other one", () => {
  const dialect = new ChildDialect("kcl2");
  expect(dialect.misunderstood("shardEnded")).toBeUndefined();
  expect(dialect.sawCheckpointMember()).toBe(false);
  expect(dialect.isInDoubt("shardEnded")).toBe(false);
  expect(endings(dialect)).toEqual(KCL2);
  expect(dialect.adviceAt("shardEnded")).toContain("set childDialect = kcl1");
  expect(dialect.adviceAt("processRecords")).toBeUndefined();
  dialect.understood("shardEnded");
  expect(dialect.adviceAt("shardEnded")).toBeUndefined();
  expect(new ChildDialect("kcl1", "--dialect ").adviceAt("shutdown")).toContain("--dialect kcl2");
});

it("kcl1 detects children that are older than shutdownRequested", () => {
  const dialect = new ChildDialect("kcl1");
  expect(endings(dialect)).toEqual(KCL1);
  expect(dialect.misunderstood("shutdownRequested")).toMatchObject({ isNew: true });
  expect(endings(dialect)).toEqual(FIRST);
});

/** A processor, described by the messages that it knows; it fails at every other message. */
const PROCESSORS = { kcl2: KCL2, kcl1: KCL1, first: FIRST } as const;

it("in any order of endings, a processor fails at most twice before auto uses its dialect", () => {
  const processor = fc.constantFrom(...Object.values(PROCESSORS));
  const several = fc.array(fc.constantFrom(...ENDINGS), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(processor, several, (knows, ends) => {
      const dialect = new ChildDialect("auto" satisfies DialectChoice);
      let failures = 0;
      for (const ending of ends) {
        // A new child starts until one does not fail at the end of its shard.
        for (;;) {
          const message = dialect.current[ending]?.action;
          if (message === undefined) break;
          if (knows.includes(message)) {
            dialect.understood(message);
            break;
          }
          failures += 1;
          expect(dialect.misunderstood(message)).toMatchObject({ isNew: true });
        }
      }
      expect(failures).toBeLessThanOrEqual(2);
    }),
  );
});
