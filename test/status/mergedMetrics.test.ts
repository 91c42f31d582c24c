import { expect, test } from "vitest";
import { mergedMetrics } from "../../src/status/mergedMetrics.ts";

test("a metric of several applications has one description and a label for each", () => {
  const text = (value: number) =>
    `# HELP a_total Help with {braces}.\n# TYPE a_total counter\na_total{shard="0"} ${value}\na_total ${value}\n# TYPE b gauge\nb ${value}\n`;
  expect(
    mergedMetrics([
      { name: "one", text: text(1) },
      { name: 't"wo', text: text(2) },
      { name: "none", text: "" },
    ]).split("\n"),
  ).toEqual([
    "# HELP a_total Help with {braces}.",
    "# TYPE a_total counter",
    'a_total{application="one",shard="0"} 1',
    'a_total{application="one"} 1',
    'a_total{application="t\\"wo",shard="0"} 2',
    'a_total{application="t\\"wo"} 2',
    "# TYPE b gauge",
    'b{application="one"} 1',
    'b{application="t\\"wo"} 2',
    "",
  ]);
});
