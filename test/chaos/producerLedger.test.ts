// The checker of the producer's chaos run finds what is wrong, and nothing else.

import { expect, it } from "vitest";
import { checkProducer, type Given } from "./producerLedger.ts";

const given = (n: number, more: Partial<Given> = {}): Given => ({
  key: "k",
  n,
  accepted: true,
  place: `${n}#0`,
  doubts: 0,
  ...more,
});
const read = (n: number, seq = `${n}#0`) => ({ key: "k", n, seq, atMs: 0, poison: false });

it.each([
  ["a lost record", [given(0), given(1)], [read(0)], "k 1 is missing"],
  ["a changed order", [given(0), given(1)], [read(1), read(0)], "k 0 arrived after k 1"],
  ["another place", [given(0)], [read(0, "7#0")], "k 0 was reported at 0#0, but read at 7#0"],
  ["an unexplained repeat", [given(0)], [read(0), read(0, "7#0")], "nothing explains that"],
  ["an invented record", [], [read(0)], "k 0 was read, but never put"],
  [
    "a refused record that was stored",
    [{ key: "k", n: 0, accepted: false, failed: "SpillFull", doubts: 0 }],
    [read(0)],
    "was refused (SpillFull), but read",
  ],
])("finds %s", (_, ledger, deliveries, problem) => {
  const { problems } = checkProducer(ledger, deliveries);
  expect(problems.join("\n")).toContain(problem);
});

it("accepts a repeat after a doubt, a refused record, and one of unknown outcome", () => {
  const refused: Given = { key: "k", n: 1, accepted: false, failed: "SpillFull", doubts: 0 };
  const unknown: Given = { key: "k", n: 2, accepted: false, doubts: 1 };
  const ledger = [given(0, { doubts: 1 }), refused, unknown, given(3)];
  const deliveries = [read(0, "9#1"), read(0), read(3)];
  expect(checkProducer(ledger, deliveries)).toMatchObject({
    given: 4,
    acknowledged: 2,
    refused: 1,
    delivered: 3,
    repeated: 1,
    problems: [],
  });
});
