import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { initCommand } from "../../src/commands/init.ts";
import { keysSchema } from "../../src/config/keys.ts";
import { loadSettings } from "../../src/config/loadSettings.ts";
import { parseProperties } from "../../src/config/propertiesText.ts";
import { LANGUAGES } from "../../src/config/template.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "init-"));
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  vi.spyOn(console, "log").mockImplementation(() => {});
});
afterEach(() => {
  vi.restoreAllMocks();
});

const init = (...args: readonly string[]) => initCommand().parseAsync([...args], { from: "user" });

test.each(LANGUAGES)("the file for %s loads without warnings", async (language) => {
  const file = join(folder, `${language}.properties`);
  await init(
    file,
    "--language",
    language,
    "--stream",
    "s",
    "--application",
    "app",
    "--region",
    "eu-west-1",
  );
  const { settings, warnings } = loadSettings({ file, environment: {} });
  expect(warnings).toEqual([]);
  expect(settings).toMatchObject({
    streamName: "s",
    applicationName: "app",
    regionName: "eu-west-1",
    retrieval: "POLLING",
    initialPosition: { type: "TRIM_HORIZON" },
  });
});

test("a key in a comment shows its default", async () => {
  const file = join(folder, "defaults.properties");
  await init(file, "--language", "python");
  const commented = readFileSync(file, "utf8").matchAll(/^# (\w+ = \S+)$/gm);
  const { entries } = parseProperties(Array.from(commented, ([, line]) => line).join("\n"));
  expect(entries.length).toBeGreaterThan(4);
  const defaults = new Map<string, unknown>(Object.entries(keysSchema.parse({})));
  for (const { key, value } of entries) {
    expect(keysSchema.shape).toHaveProperty(key);
    if (defaults.has(key)) expect(value).toBe(String(defaults.get(key)));
  }
});

test("an existing file is not overwritten", async () => {
  const file = join(folder, "precious.properties");
  writeFileSync(file, "precious");
  await expect(init(file, "--language", "python")).rejects.toThrow(
    "exists already and is not overwritten",
  );
  expect(readFileSync(file, "utf8")).toBe("precious");
});

test("a name that AWS does not allow is refused before a file is written", async () => {
  const file = join(folder, "refused.properties");
  await expect(init(file, "--language", "python", "--stream", "a b")).rejects.toThrow(
    "a stream name",
  );
  expect(() => readFileSync(file)).toThrow("ENOENT");
});

test("a missing folder is reported", async () => {
  const file = join(folder, "none", "x.properties");
  await expect(init(file, "--language", "go")).rejects.toThrow(
    `Cannot write ${file}: no such file`,
  );
});
