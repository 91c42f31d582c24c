import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { configCommand } from "../../src/commands/config.ts";

let folder = "";
let printed: string[] = [];
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "config-"));
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  printed = [];
  vi.spyOn(console, "log").mockImplementation((text: string) => void printed.push(text));
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

const REQUIRED = "executableName = node app.js\nstreamName = words\napplicationName = counter\n";

async function config(text: string, ...flags: readonly string[]): Promise<string> {
  const file = join(folder, "words.properties");
  writeFileSync(file, REQUIRED + text);
  await configCommand().parseAsync([...flags, file], { from: "user" });
  return printed.join("\n").replaceAll(`${folder}/`, "");
}

/** The line of a key, blanks squeezed. */
async function lineOf(key: string, text: string): Promise<string | undefined> {
  const lines = (await config(text)).split("\n");
  return lines.find((line) => line.startsWith(`${key} `))?.replaceAll(/ +/g, " ");
}

describe("each line shows value and source", () => {
  test.each([
    ["maxRecords", "maxRecords = 7", "maxRecords 7 words.properties:4"],
    ["maxRecords", "", "maxRecords 10000 default"],
    ["tableName", "", "tableName counter from applicationName"],
    ["workerId", "", "workerId a random UUID at each start default"],
    [
      "kinesisClient.region",
      "regionName = eu-west-1",
      "kinesisClient.region eu-west-1 from regionName",
    ],
    ["retrievalMode", "maxRecords = 7", "retrievalMode DEFAULT: POLLING default"],
    [
      "initialPositionInStreamExtended",
      "initialPositionInStreamExtended = 0",
      "initialPositionInStreamExtended 1970-01-01T00:00:00.000Z words.properties:4",
    ],
    [
      "childEnv",
      "childEnv = PATH HOME",
      "childEnv PATH,HOME words.properties:4 (Java: does not know it, and ignores it)",
    ],
    ["regionName", "", "regionName - default"],
  ])("%s with %j", async (key, text, expected) => {
    expect(await lineOf(key, text)).toBe(expected);
  });

  test("the environment is a source too", async () => {
    vi.stubEnv("KINESIS_MULTILANG_MAX_RECORDS", "9");
    expect(await lineOf("maxRecords", "maxRecords = 7")).toBe(
      "maxRecords 9 environment KINESIS_MULTILANG_MAX_RECORDS (Java: reads only the file)",
    );
  });
});

describe("each line shows what Java would do, where it differs", () => {
  test.each([
    ["shutdownGraceMillis", "", "0: children are not waited for"],
    ["AwsCredentialsProvider", "", "refuses to start: the key is required"],
    [
      "cleanupLeasesUponShardCompletion",
      "cleanupLeasesUponShardCompletion = false",
      "true: the value false has no effect",
    ],
    [
      "ignoreUnexpectedChildShards",
      "ignoreUnexpectedChildShards = true ",
      "false: blanks follow the word",
    ],
    ["metricsLevel", "metricsLevel = NONE ", "refuses to start: blanks follow the word"],
    ["tableName", "tableName = leases ", 'keeps the blanks at the end: "leases "'],
    ["retrievalMode", "retrievalMode = AUTO", "refuses to start: unknown retrieval type"],
    ["executableName", "executableName = 'my app' x", "quotes are part of the words"],
    ["workerId", "workerId = é", '"Ã©": it reads the file as ISO-8859-1'],
    ["workerId", "workerId = $" + "{env:PATH}", `uses the text literally: "\${env:PATH}"`],
    [
      "initialPositionInStreamExtended",
      "initialPositionInStreamExtended = 2026-01-01T00:00:00Z",
      "refuses to start: only whole seconds",
    ],
    [
      "streamArn",
      "streamArn = arn:aws:kinesis:eu-west-1:123456789012:stream/words",
      "uses only the stream's name in it, not its region and account",
    ],
  ])("%s with %j", async (key, text, expected) => {
    expect(await lineOf(key, text)).toContain(`(Java: ${expected})`);
  });

  test.each([
    ["maxRecords", "maxRecords = 7 "],
    ["workerId", "workerId = w "],
    ["metricsLevel", "metricsLevel = none"],
    ["AwsCredentialsProvider", "AwsCredentialsProvider = DefaultCredentialsProvider"],
  ])("no remark where Java does the same: %s with %j", async (key, text) => {
    expect(await lineOf(key, text)).not.toContain("Java");
  });
});

test("notices are at the end", async () => {
  const text = await config("maxRecrods = 1\nprocessingLanguage = x\n");
  expect(text.split("\n").slice(-2)).toEqual([
    "warning: words.properties:4: maxRecrods: unknown key, ignored; did you mean maxRecords?",
    "info: words.properties:5: processingLanguage: has no effect: the Java daemon uses it only in a line of its log",
  ]);
});

test("JSON has the same, with types", async () => {
  const json: unknown = JSON.parse(await config("maxRecords = 7", "--json"));
  expect(json).toMatchObject({
    settings: expect.arrayContaining([
      expect.objectContaining({
        key: "maxRecords",
        value: 7,
        source: expect.objectContaining({ type: "file", line: 4 }),
      }),
      { key: "regionName", value: null, source: { type: "default" } },
    ]),
    notices: [],
  });
});

test.each([["--json"], []])("secrets are masked %s", async (...flags) => {
  vi.stubEnv("WORKER_TOKEN", "hunter2");
  const text = await config(
    "AwsCredentialsProvider = StsAssumeRoleCredentialsProvider|arn|s|externalId=hunter2\n" +
      "workerId = $" +
      "{env:WORKER_TOKEN}\n" +
      "executableName = run --password hunter2 'x y'\n" +
      "dbPassword = hunter2\n" +
      "kinesisEndpoint = https://me:hunter2@host \n",
    ...flags,
  );
  expect(text).toContain("externalId=*****");
  expect(text).not.toContain("hunter2");
});

describe("--explain", () => {
  const explain = async (key: string) => {
    await configCommand().parseAsync(["--explain", key], { from: "user" });
    return printed.join("\n");
  };

  test("prints the meaning of a key, and needs no file", async () => {
    expect(await explain("failoverTimeMillis")).toBe(`failoverTimeMillis
  How long a lease lasts without renewal. After that another worker may take it. A shorter time means faster failover and more writes to DynamoDB.

  Value:       a whole number of milliseconds from 1 to 2147483647
  Default:     10000
  Java:        The same.
  Environment: KINESIS_MULTILANG_FAILOVER_TIME_MILLIS`);
  });

  test("accepts another name of a key", async () => {
    expect(await explain("workerIdentifier")).toMatch(/^workerId\n/);
  });

  test("says why a key is ignored", async () => {
    expect(await explain("billingMode")).toContain("The key is ignored. The Java daemon");
  });

  test("suggests a key for an unknown one", async () => {
    await expect(explain("maxRecrods")).rejects.toThrow(
      "There is no key maxRecrods: did you mean maxRecords?",
    );
  });
});
