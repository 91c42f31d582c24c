// What the daemon gives away: to its children, to its log, to a shell. On the built program.

import { readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, inject, it, onTestFinished } from "vitest";
import { type DaemonUnderTest, startDaemon, temporaryFolder } from "../support/daemon.ts";
import { createStream } from "../support/emulators.ts";
import { type FaultProxy, startFaultProxy } from "../support/faultProxy.ts";

const TELLER = fileURLToPath(
  new URL("../fixtures/processors/tellsItsSurroundings.mjs", import.meta.url),
);
const SECRET = "wJalrXUtnFEMIsecretkey";
const TOKEN = "FwoGZXIvYXdzEtoken";
const PASSWORD = "hunter2hunter2";

interface Told {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

async function startTeller(
  properties: Readonly<Record<string, string | number | boolean>>,
  args = "",
  cwd?: string,
): Promise<{ daemon: DaemonUnderTest; told: Told }> {
  const stream = await createStream("surroundings", 1);
  const daemon = await startDaemon({
    properties: {
      executableName: `"${process.execPath}" "${TELLER}" ${args}`,
      applicationName: stream,
      streamName: stream,
      ...properties,
    },
    env: {
      AWS_SECRET_ACCESS_KEY: SECRET,
      AWS_SESSION_TOKEN: TOKEN,
      DATABASE_URL: "postgres://db",
      APP_MODE: "fast",
    },
    ...(cwd === undefined ? {} : { cwd }),
  });
  const { line } = await daemon.waitFor(
    ({ event, stream: from }) => event === "childOutput" && from === "stderr",
  );
  return { daemon, told: JSON.parse(Buffer.from(String(line), "base64").toString()) };
}

describe("a child", () => {
  it("gets the whole environment by default, as under Java", async () => {
    const { daemon, told } = await startTeller({});
    expect(told.env).toMatchObject({
      AWS_SECRET_ACCESS_KEY: SECRET,
      DATABASE_URL: "postgres://db",
      KINESIS_MULTILANG_SHARD_ID: "shardId-000000000000",
      KINESIS_MULTILANG_ATTEMPT: "1",
    });
    expect(await daemon.stop()).toBe(0);
  });

  it("gets only the allowed variables, and no credentials", async () => {
    const { daemon, told } = await startTeller({
      childEnv: "APP_*, AWS_SESSION_TOKEN",
      passCredentials: false,
    });
    expect(Object.keys(told.env).filter((name) => /^(AWS|APP|DATABASE)/.test(name))).toEqual([
      "APP_MODE",
      "AWS_EC2_METADATA_DISABLED",
    ]);
    expect(told.env).toHaveProperty("PATH");
    expect(
      Object.keys(told.env)
        .filter((name) => /^KINESIS_/.test(name))
        .toSorted(),
    ).toEqual([
      "KINESIS_MULTILANG_ATTEMPT",
      "KINESIS_MULTILANG_PROTOCOL_VERSION",
      "KINESIS_MULTILANG_SHARD_ID",
      "KINESIS_MULTILANG_STREAM_NAME",
      "KINESIS_MULTILANG_WORKER_ID",
    ]);
    expect(await daemon.stop()).toBe(0);
  });

  it("gets its arguments unchanged: no shell reads them", async () => {
    const folder = await temporaryFolder();
    const args = "$HOME ~ * ; touch made > made | touch made && `touch made` $(touch made)";
    const { daemon, told } = await startTeller({}, args, folder);
    expect(told.args.join(" ")).toBe(args);
    expect(await readdir(folder)).toEqual([]);
    expect(await daemon.stop()).toBe(0);
  });
});

const SIGNATURE = [
  "The request signature we calculated does not match the signature you provided.",
  "The Canonical String for this request should have been",
  `'POST\n/\n\nhost:kinesis.eu-west-1.amazonaws.com\nx-amz-security-token:${TOKEN}\n\nhost'`,
].join("\n");

async function proxy(service: "kinesisUrl" | "dynamoUrl"): Promise<FaultProxy> {
  const started = await startFaultProxy(inject(service));
  onTestFinished(() => started.stop());
  return started;
}

describe("the log", () => {
  it("contains no secret of the command line or of AWS's responses", async () => {
    const [kinesis, dynamo] = await Promise.all([proxy("kinesisUrl"), proxy("dynamoUrl")]);
    const denied = { type: "error", name: "SignatureDoesNotMatch", status: 403 } as const;
    // A denial of the first call ends the daemon, so ListShards fails in a way that is retried.
    const internal = { type: "error", name: "InternalFailure", status: 500 } as const;
    for (const [service, operation, error] of [
      [kinesis, "GetRecords", denied],
      [kinesis, "ListShards", internal],
      [dynamo, "Scan", denied],
    ] as const) {
      service.next(operation, { ...error, message: SIGNATURE }, 2);
    }
    const { daemon, told } = await startTeller(
      { kinesisEndpoint: kinesis.url, dynamoDBEndpoint: dynamo.url, childEnv: "PATH" },
      `--db-password ${PASSWORD} --token=${PASSWORD} https://me:${PASSWORD}@db/`,
    );
    expect(told.args).toHaveLength(4);
    await daemon.waitFor(
      ({ event, operation }) => event === "serviceRecovered" && operation === "GetRecords",
    );
    expect(await daemon.stop()).toBe(0);
    const text = JSON.stringify(daemon.events) + daemon.otherLines.join("\n");
    expect(text).toContain("--db-password");
    expect(text).toContain("SignatureDoesNotMatch");
    expect(text).toContain("x-amz-security-token:*****");
    for (const secret of [SECRET, TOKEN, PASSWORD]) expect(text).not.toContain(secret);
  });

  it("masks our own keys in what a child prints", async () => {
    const { daemon } = await startTeller({});
    await daemon.waitFor(({ line }) => line === "my token is *****.");
    expect(await daemon.stop()).toBe(0);
    expect(JSON.stringify(daemon.events)).not.toContain(TOKEN);
  });

  it("contains no secret of the error that ends the daemon", async () => {
    const kinesis = await proxy("kinesisUrl");
    const error = { type: "error", name: "InvalidSignatureException", status: 403 } as const;
    kinesis.next("ListShards", { ...error, message: SIGNATURE }, 10);
    const daemon = await startDaemon({
      properties: {
        executableName: "true",
        applicationName: "fatal",
        streamName: "fatal",
        kinesisEndpoint: kinesis.url,
      },
      env: { AWS_SECRET_ACCESS_KEY: SECRET, AWS_SESSION_TOKEN: TOKEN },
    });
    expect(await daemon.ended).toBe(1);
    const report = daemon.otherLines.join("\n");
    expect(report).toContain("x-amz-security-token:*****");
    expect(report + JSON.stringify(daemon.events)).not.toContain(TOKEN);
  });

  it("does not show secrets of a child that cannot continue", async () => {
    const stream = await createStream("surroundings", 1);
    const daemon = await startDaemon({
      properties: {
        executableName: `false --password ${PASSWORD}`,
        applicationName: stream,
        streamName: stream,
      },
    });
    await daemon.waitFor("childFailed");
    expect(await daemon.stop()).toBe(0);
    expect(JSON.stringify(daemon.events)).not.toContain(PASSWORD);
  });
});
