// The published reference of property keys is the one that the code generates.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { configurationPage } from "../../src/config/docs/configurationPage.ts";
import { describeKey } from "../../src/config/docs/keyDescription.ts";
import { ignoredKeys } from "../../src/config/ignoredKeys.ts";
import { allKeys } from "../../src/config/keys.ts";

const page = configurationPage();

describe("docs/configuration.md", () => {
  it("is current (npm run docs writes it)", () => {
    const file = new URL("../../docs/configuration.md", import.meta.url);
    expect(readFileSync(file, "utf8")).toBe(page);
  });

  it("has each key once, in one of the groups", () => {
    const shown = [...page.matchAll(/^### `(.*)`$/gm)].map(([, key]) => key);
    expect(shown.toSorted()).toEqual(allKeys.toSorted());
  });

  it("has each ignored key with its reason", () => {
    const shown = [...page.matchAll(/^\| `(.*)` \| [A-Z].*\. \|$/gm)].map(([, key]) => key);
    expect(shown).toEqual(Object.keys(ignoredKeys));
  });
});

it.each(allKeys)("documents %s in full sentences, with value and default", (key) => {
  const { meaning, facts } = describeKey(key);
  expect(meaning).toMatch(/^[A-Z].*\.$/);
  for (const title of ["Value", "Default", "Java", "Environment"]) {
    expect(facts.find(([name]) => name === title)?.[1]).toMatch(/\S/);
  }
});

it("takes the bounds and the default from the schema", () => {
  expect(describeKey("failoverTimeMillis").facts.slice(0, 2)).toEqual([
    ["Value", "a whole number of milliseconds from 1 to 2147483647"],
    ["Default", "`10000`"],
  ]);
});
