// What a user sees after giving the daemon input that cannot work: each time what is wrong, where,
// and what would be right.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CreateTableCommand } from "@aws-sdk/client-dynamodb";
import { CreateStreamCommand } from "@aws-sdk/client-kinesis";
import { describe, expect, it } from "vitest";
import {
  type DaemonUnderTest,
  propertiesFile,
  runDaemon,
  startDaemon,
  temporaryFolder,
} from "../support/daemon.ts";
import { createStream, put, testDynamo, testKinesis, uniqueName } from "../support/emulators.ts";
import { Journal } from "../support/journal.ts";

/** What a daemon that gave up wrote to STDERR, and its exit code. */
async function lastWords(
  daemon: DaemonUnderTest,
): Promise<{ code: number | string; text: string }> {
  const code = await daemon.ended;
  return { code, text: daemon.otherLines.join("\n") };
}

const complete = { executableName: "cat", applicationName: "app", streamName: "words" };

describe("the properties file", () => {
  it("that does not exist is named in the error", async () => {
    const daemon = await runDaemon(["-p", "/nowhere/at-all.properties"]);
    const { code, text } = await lastWords(daemon);
    expect(code).toBe(1);
    expect(text).toContain("/nowhere/at-all.properties");
    expect(text).not.toContain("    at ");
  });

  it("that is a directory is reported as one", async () => {
    const folder = join(await temporaryFolder(), "words.properties");
    await mkdir(folder);
    const { code, text } = await lastWords(await runDaemon([folder]));
    expect(code).toBe(1);
    expect(text).toMatch(/words\.properties.*directory/);
  });

  it("is requested when none is named", async () => {
    const { code, text } = await lastWords(await runDaemon([]));
    expect(code).toBe(1);
    expect(text).toContain("--properties-file");
  });

  it("with a bad \\u escape is refused, with the line number", async () => {
    const file = join(await temporaryFolder(), "words.properties");
    await writeFile(file, "executableName = cat\napplicationName = a\\u12x4\nstreamName = words\n");
    const { code, text } = await lastWords(await runDaemon(["-p", file]));
    expect(code).toBe(1);
    expect(text).toContain("words.properties:2");
    expect(text).toContain("\\u");
  });

  it("has all its problems reported at once, without secrets", async () => {
    const file = await propertiesFile({
      applicationName: "app",
      streamName: "words",
      maxRecords: "many",
      failoverTimeMillis: "-1",
      someSecretPassword: "hunter2",
    });
    const { code, text } = await lastWords(await runDaemon(["-p", file]));
    expect(code).toBe(1);
    for (const part of ["executableName", "maxRecords", "many", "failoverTimeMillis"]) {
      expect(text).toContain(part);
    }
    expect(text).not.toContain("hunter2");
  });

  it("with an unknown key is accepted, with a warning that suggests the right key", async () => {
    const file = await propertiesFile({ ...complete, executableName: "/nowhere/x", maxRecord: 5 });
    const daemon = await runDaemon(["-p", file]);
    await daemon.ended;
    const warning = daemon.events.find(({ message }) => message.includes("maxRecord"));
    expect(warning).toMatchObject({ event: "configWarning", level: "warn" });
    expect(warning?.message).toMatch(/daemon\.properties:4.*maxRecords/);
  });
});

describe("the executable", () => {
  it.each([
    ["not found", "no-such-program-anywhere --flag", /no-such-program-anywhere/],
    ["not found at its path", "/nowhere/processor.py", /\/nowhere\/processor\.py/],
  ])("that is %s is reported before any record is read", async (_case, executableName, said) => {
    const file = await propertiesFile({ ...complete, executableName });
    const { code, text } = await lastWords(await runDaemon(["-p", file]));
    expect(code).toBe(1);
    expect(text).toMatch(said);
  });

  it("without execute permission gets another error than a missing one", async () => {
    const script = join(await temporaryFolder(), "processor.py");
    await writeFile(script, "#!/usr/bin/env python3\n", { mode: 0o644 });
    const file = await propertiesFile({ ...complete, executableName: script });
    const { code, text } = await lastWords(await runDaemon(["-p", file]));
    expect(code).toBe(1);
    expect(text).toMatch(/execut/i);
    expect(text).toContain("chmod");
  });
});

describe("the stream", () => {
  it("that does not exist is named in the error, with the command that creates it", async () => {
    const streamName = uniqueName("missing");
    const daemon = await startDaemon({
      properties: { ...complete, applicationName: streamName, streamName },
    });
    const { code, text } = await lastWords(daemon);
    expect(code).toBe(1);
    expect(text).toContain(streamName);
    expect(text).toMatch(/create/);
  });

  it("that does not exist yet is awaited with --wait-for-stream", async () => {
    const journal = await Journal.create();
    const streamName = uniqueName("later");
    const daemon = await startDaemon({
      properties: { executableName: journal.command(), applicationName: streamName, streamName },
      env: journal.env,
      args: ["--wait-for-stream"],
    });
    await daemon.waitFor("waitingForStream");
    const client = testKinesis();
    await client.send(new CreateStreamCommand({ StreamName: streamName, ShardCount: 1 }));
    await daemon.waitFor("shardStarted");
    expect(await daemon.stop()).toBe(0);
  });
});

describe("the services", () => {
  it("that cannot be reached are called again, with one warning and no crash", async () => {
    const file = await propertiesFile({
      ...complete,
      kinesisEndpoint: "http://127.0.0.1:9",
      dynamoDBEndpoint: "http://127.0.0.1:9",
      regionName: "us-east-1",
    });
    const daemon = await runDaemon(["-p", file]);
    const trouble = await daemon.waitFor("serviceTrouble");
    expect(trouble.level).toBe("warn");
    expect(trouble.message).toContain("127.0.0.1:9");
    expect(await daemon.stop()).toBe(0);
    expect(daemon.events.filter(({ event }) => event === "serviceTrouble").length).toBeLessThan(4);
  });

  it("without credentials end the daemon, and the error lists the providers that it tried", async () => {
    const file = await propertiesFile({ ...complete, regionName: "us-east-1" });
    const daemon = await runDaemon(["-p", file], {
      env: {
        AWS_ACCESS_KEY_ID: "",
        AWS_SECRET_ACCESS_KEY: "",
        AWS_EC2_METADATA_DISABLED: "true",
        AWS_CONFIG_FILE: "/nowhere/config",
        AWS_SHARED_CREDENTIALS_FILE: "/nowhere/credentials",
      },
    });
    const { code, text } = await lastWords(daemon);
    expect(code).toBe(1);
    expect(text).toMatch(/credentials/i);
    expect(text).toContain("AWS_ACCESS_KEY_ID");
    expect(text).toContain("instance metadata");
  });
});

describe("the lease table", () => {
  it("that is a table of another kind is not changed", async () => {
    const stream = await createStream("table", 1);
    const client = testDynamo();
    await client.send(
      new CreateTableCommand({
        TableName: stream,
        AttributeDefinitions: [{ AttributeName: "orderId", AttributeType: "S" }],
        KeySchema: [{ AttributeName: "orderId", KeyType: "HASH" }],
        BillingMode: "PAY_PER_REQUEST",
      }),
    );
    const daemon = await startDaemon({
      properties: { ...complete, applicationName: stream, streamName: stream },
    });
    const { code, text } = await lastWords(daemon);
    expect(code).toBe(1);
    expect(text).toContain(stream);
    expect(text).toMatch(/lease table/);
  });
});

describe("a second daemon", () => {
  it("with the same workerId makes one of the two exit, and no record is lost", async () => {
    const stream = await createStream("twins", 2);
    const journal = await Journal.create();
    const properties = {
      executableName: journal.command(),
      applicationName: stream,
      streamName: stream,
      workerId: "the-same",
    };
    const first = await startDaemon({ properties, env: journal.env });
    await first.waitFor("shardStarted");
    const second = await startDaemon({ properties, env: journal.env });
    const loser = await Promise.race([
      first.ended.then(() => first),
      second.ended.then(() => second),
    ]);
    const { code, text } = await lastWords(loser);
    expect(code).toBe(1);
    expect(text).toContain("the-same");
    expect(text).toMatch(/workerId/);
    const words = Array.from({ length: 20 }, (_, index) => `word-${index}`);
    await put(stream, words);
    const survivor = loser === first ? second : first;
    const deadline = Date.now() + 30_000;
    while (new Set(await journal.words()).size < 20 && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect([...new Set(await journal.words())].toSorted()).toEqual(words.toSorted());
    expect(await survivor.stop()).toBe(0);
  });
});

describe("the command line", () => {
  it("prefers -p to an argument, and reports it", async () => {
    const file = await propertiesFile({ ...complete, executableName: "/nowhere/x" });
    const other = await propertiesFile(complete);
    const daemon = await runDaemon(["-p", file, other]);
    await daemon.ended;
    expect(daemon.events.map(({ message }) => message).join()).toContain(other);
  });

  it("refuses two arguments", async () => {
    const files = [await propertiesFile(complete), await propertiesFile(complete)];
    const { code, text } = await lastWords(await runDaemon(files));
    expect(code).toBe(1);
    expect(text).toContain(files.join(" "));
  });

  it("refuses an unknown option with exit code 1", async () => {
    const { code, text } = await lastWords(await runDaemon(["--frobnicate"]));
    expect(code).toBe(1);
    expect(text).toContain("--frobnicate");
  });

  it("accepts a readable file for -l, and reports that it has no effect", async () => {
    const logback = join(await temporaryFolder(), "logback.xml");
    await writeFile(logback, "<configuration/>");
    const file = await propertiesFile({ ...complete, executableName: "/nowhere/x" });
    const daemon = await runDaemon(["-p", file, "-l", logback]);
    await daemon.ended;
    expect(daemon.events.map(({ message }) => message).join()).toContain("--log-level");
    const { code, text } = await lastWords(await runDaemon(["-p", file, "-l", "/nowhere.xml"]));
    expect(code).toBe(1);
    expect(text).toContain("/nowhere.xml");
  });
});
