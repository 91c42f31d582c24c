// Environment variables for one application of several.

import { describe, expect, test } from "vitest";
import { unusedScopes } from "../../src/config/environmentScope.ts";
import { loadSettings } from "../../src/config/loadSettings.ts";
import { propertiesFile } from "../support/daemon.ts";

async function load(applicationName: string, environment: Readonly<Record<string, string>>) {
  const file = await propertiesFile({
    executableName: "cat",
    applicationName,
    streamName: "words",
    maxRecords: 100,
  });
  return loadSettings({ file, environment });
}

describe("an environment variable for one application", () => {
  const environment = {
    KINESIS_MULTILANG_MAX_RECORDS__WORD_COUNT: "7",
    KINESIS_MULTILANG_MAX_RECORDS: "50",
  };

  test("overrides the one for all, and only there, without a warning", async () => {
    const one = await load("word-count", environment);
    expect(one.settings.maxRecords).toBe(7);
    expect(one.sources.maxRecords).toEqual({
      type: "environment",
      name: "KINESIS_MULTILANG_MAX_RECORDS__WORD_COUNT",
    });
    expect(one.warnings).toEqual([]);
    const other = await load("orders", environment);
    expect(other.settings.maxRecords).toBe(50);
    expect(other.warnings).toEqual([]);
  });

  test.each([
    ["word-count", "word-count"],
    ["word-count", "WORD_COUNT"],
    ["word.count", "Word_Count"],
  ])("may name %s as %s", async (applicationName, scope) => {
    const name = `KINESIS_MULTILANG_MAX_RECORDS__${scope}`;
    const { settings } = await load(applicationName, { [name]: "7" });
    expect(settings.maxRecords).toBe(7);
  });

  test("is checked as any other, and the error names the variable", async () => {
    const wrong = { KINESIS_MULTILANG_MAX_RECORDS__WORDS: "many" };
    await expect(load("words", wrong)).rejects.toThrow(
      /KINESIS_MULTILANG_MAX_RECORDS__WORDS.*"many"/,
    );
  });

  test("that fits no application is reported", () => {
    const message = unusedScopes(["orders", "words"], environment).map((each) => each.message);
    expect(message).toEqual([
      "not used: no application of this daemon is named WORD_COUNT (found: orders, words)",
    ]);
    expect(unusedScopes(["word-count"], environment)).toEqual([]);
  });
});
