// `kinesis-multilang doctor` on healthy services, and on one problem at a time.

import { SplitShardCommand } from "@aws-sdk/client-kinesis";
import { afterEach, describe, expect, inject, it, onTestFinished, vi } from "vitest";
import { examine as examination } from "../../src/operator/doctor/doctor.ts";
import type { Finding } from "../../src/operator/doctor/finding.ts";
import {
  FLEET_ROWS,
  javaLease,
  kinesisMultilang,
  LAST_KEY,
  tableByHand,
} from "../operator/tables.ts";
import { propertiesFile } from "../support/daemon.ts";
import {
  createStream,
  emulatorEnv,
  put,
  shardsOf,
  streamActive,
  testKinesis,
  uniqueName,
} from "../support/emulators.ts";
import { type FaultProxy, startFaultProxy } from "../support/faultProxy.ts";

const FIRST = "shardId-000000000000";
const SECOND = "shardId-000000000001";
/** The hash key ranges of the emulator's two shards. */
const LOWER_HALF = ["0", "170141183460469231731687303715884105726"] as const;
const UPPER_HALF = ["170141183460469231731687303715884105727", LAST_KEY] as const;

interface Examined {
  readonly findings: readonly Finding[];
  finding(check: string): Finding | undefined;
  /** The checks with this verdict. */
  having(verdict: Finding["verdict"]): readonly string[];
}

async function examine(
  properties: Readonly<Record<string, string | number>>,
  env: Readonly<Record<string, string>> = {},
): Promise<Examined> {
  const file = await propertiesFile(properties);
  for (const [name, value] of Object.entries({ ...emulatorEnv(), ...env })) vi.stubEnv(name, value);
  const findings: Finding[] = [];
  for await (const finding of examination(file, new AbortController().signal))
    findings.push(finding);
  return {
    findings,
    finding: (check) => findings.find((one) => one.check === check),
    having: (verdict) =>
      findings.filter((one) => one.verdict === verdict).map(({ check }) => check),
  };
}

afterEach(() => vi.unstubAllEnvs());

async function properties(more: Readonly<Record<string, string | number>> = {}) {
  return {
    executableName: "cat",
    streamName: await createStream("doctor", 2),
    applicationName: uniqueName("doctor"),
    retrievalMode: "POLLING",
    ...more,
  };
}

async function proxy(to: "kinesisUrl" | "dynamoUrl"): Promise<FaultProxy> {
  const started = await startFaultProxy(inject(to));
  onTestFinished(() => started.stop());
  return started;
}

describe("a healthy application", () => {
  it("that has not run yet", async () => {
    const { having, finding } = await examine(await properties());
    expect(having("failed")).toEqual([]);
    // Beside an emulator of Kinesis, metrics go nowhere unless CloudWatch has an endpoint, too.
    expect(having("not checked")).toEqual(["permission dynamodb:CreateTable"]);
    expect(having("ok").slice(0, 5)).toEqual([
      ...["properties", "executable", "credentials", "region", "stream"],
    ]);
    expect(finding("stream")?.message).toMatch(
      /ACTIVE, 2 open shards.*keeps records for 24 h, not encrypted/,
    );
    expect(finding("lease table")?.message).toMatch(/does not exist yet/);
    expect(finding("permission dynamodb:Scan")?.verdict).toBe("ok");
  });

  it("whose metrics go to an emulator of CloudWatch", async () => {
    const endpoint = { "cloudWatchClient.endpointOverride": "http://127.0.0.1:1" };
    const { having } = await examine(await properties(endpoint));
    expect(having("not checked")).toContain("permission cloudwatch:PutMetricData");
  });

  it("changes nothing in the table that it examines", async () => {
    const settings = await properties();
    const shards = await shardsOf(settings.streamName);
    const rows = shards.map(({ ShardId, HashKeyRange: range }) =>
      javaLease({
        key: ShardId ?? "",
        range: [range?.StartingHashKey ?? "", range?.EndingHashKey ?? ""],
      }),
    );
    const table = await tableByHand([...FLEET_ROWS, ...rows], settings.applicationName);
    const before = await table.client.scan({ TableName: table.name });
    const { having, finding } = await examine(settings);
    expect(await table.client.scan({ TableName: table.name })).toMatchObject({
      Items: before.Items,
    });
    expect(having("failed")).toEqual([]);
    expect(finding("leases")?.message).toMatch(/2 leases, 0 ended, without an owner\n.*KCL 3.x/);
    expect(finding("written by")?.message).toMatch(/KCL 3\.5 or later/);
    expect(finding("mode")).toMatchObject({
      verdict: "ok",
      message: expect.stringMatching(/^CLIENT_VERSION_3X; 0 of 1 worker reported/),
    });
    expect(finding("coverage")?.verdict).toBe("ok");
  });

  it("with fan-out: the doctor registers no consumer and takes no subscription", async () => {
    const kinesis = await proxy("kinesisUrl");
    const settings = await properties({ retrievalMode: "FANOUT", kinesisEndpoint: kinesis.url });
    const { having, finding } = await examine(settings);
    expect(having("failed")).toEqual([]);
    expect(finding("permission kinesis:SubscribeToShard")?.verdict).toBe("ok");
    expect(finding("permission kinesis:RegisterStreamConsumer")?.verdict).toBe("not checked");
    expect(kinesis.count("RegisterStreamConsumer")).toBe(0);
    expect(finding("consumer limit")?.message).toMatch(/^0 consumers registered/);
  });
});

async function split(StreamName: string, ShardToSplit: string): Promise<void> {
  const client = testKinesis();
  const NewStartingHashKey = String(2n ** 126n);
  await client.send(new SplitShardCommand({ StreamName, ShardToSplit, NewStartingHashKey }));
  client.destroy();
  await streamActive(StreamName);
}

describe("reports with a remedy:", () => {
  it("a properties file with errors, and checks nothing else", async () => {
    const { having, finding } = await examine({ ...(await properties()), metricsLevel: "SOME" });
    expect(having("failed")).toEqual(["properties"]);
    expect(finding("properties")?.message).toMatch(/metricsLevel.*SOME.*DETAILED/);
    expect(having("ok")).toEqual([]);
  });

  it("a program that does not exist, and checks the rest", async () => {
    const { having, finding } = await examine(await properties({ executableName: "./nowhere.py" }));
    expect(having("failed")).toEqual(["executable"]);
    expect(finding("executable")?.remedy).toMatch(/executableName/);
    expect(finding("stream")?.verdict).toBe("ok");
  });

  it("missing credentials, and calls no service", async () => {
    const nowhere = {
      AWS_SHARED_CREDENTIALS_FILE: "/nonexistent",
      AWS_CONFIG_FILE: "/nonexistent",
    };
    const { having, finding } = await examine(
      await properties({
        kinesisEndpoint: "http://192.0.2.1:1",
        dynamoDBEndpoint: "http://192.0.2.1:1",
      }),
      {
        ...nowhere,
        AWS_ACCESS_KEY_ID: "",
        AWS_SECRET_ACCESS_KEY: "",
        AWS_EC2_METADATA_DISABLED: "true",
      },
    );
    expect(having("failed")).toEqual(["credentials"]);
    expect(finding("credentials")?.remedy).toMatch(/AwsCredentialsProvider/);
    expect(finding("stream")?.message).toMatch(/no credentials/);
  });

  it("a missing region", async () => {
    const { having } = await examine(await properties(), {
      AWS_REGION: "",
      AWS_ENDPOINT_URL_KINESIS: "",
      AWS_ENDPOINT_URL_DYNAMODB: "",
      AWS_EC2_METADATA_DISABLED: "true",
      AWS_CONFIG_FILE: "/nonexistent",
      AWS_ENDPOINT_URL_STS: "http://127.0.0.1:1",
    });
    expect(having("failed")).toEqual(["region"]);
    expect(having("not checked")).toContain("stream");
  });

  it("a stream that does not exist, and still checks the permissions on the table", async () => {
    const { having, finding } = await examine(await properties({ streamName: "nowhere" }));
    expect(having("failed")).toEqual(["stream"]);
    expect(finding("stream")?.remedy).toMatch(/create-stream --stream-name nowhere/);
    expect(finding("permission kinesis:GetRecords")?.verdict).toBe("not checked");
    expect(finding("permission dynamodb:GetItem")?.verdict).toBe("ok");
  });

  it("services that cannot be reached", async () => {
    const dead = "http://127.0.0.1:1";
    const { having, finding } = await examine(
      await properties({ kinesisEndpoint: dead, dynamoDBEndpoint: dead }),
    );
    expect(having("failed")).toEqual(["stream", "lease table"]);
    expect(finding("stream")).toMatchObject({
      message: expect.stringMatching(/cannot be reached .*ECONNREFUSED/),
      remedy: expect.stringMatching(/kinesisEndpoint/),
    });
    expect(finding("clock")?.verdict).toBe("not checked");
  });

  it.each(["ListShards", "GetShardIterator", "GetRecords"])(
    "kinesis:%s denied",
    async (operation) => {
      const kinesis = await proxy("kinesisUrl");
      kinesis.next(operation, { type: "error", name: "AccessDeniedException" }, 9);
      const { having, finding } = await examine(await properties({ kinesisEndpoint: kinesis.url }));
      expect(having("failed")).toEqual([`permission kinesis:${operation}`]);
      expect(finding(`permission kinesis:${operation}`)?.remedy).toMatch(/iam-policy/);
    },
  );

  it("an encryption key that the policy does not allow", async () => {
    const kinesis = await proxy("kinesisUrl");
    kinesis.next("GetRecords", { type: "error", name: "KMSAccessDeniedException" }, 9);
    const { finding } = await examine(await properties({ kinesisEndpoint: kinesis.url }));
    expect(finding("permission kinesis:GetRecords")).toMatchObject({
      verdict: "failed",
      remedy: expect.stringMatching(/kms:Decrypt/),
    });
  });

  it.each(["PutItem", "UpdateItem", "DeleteItem", "GetItem"])(
    "dynamodb:%s denied",
    async (operation) => {
      const dynamo = await proxy("dynamoUrl");
      dynamo.next(operation, { type: "error", name: "AccessDeniedException" }, 9);
      const settings = await properties({ dynamoDBEndpoint: dynamo.url });
      await tableByHand([], settings.applicationName);
      const { having } = await examine(settings);
      expect(having("failed")).toEqual([`permission dynamodb:${operation}`]);
    },
  );

  it.each([
    ["allowed", "ok"],
    ["denied", "warning"],
  ] as const)("the index of a KCL 3.x fleet, when reading it is %s", async (right, verdict) => {
    const dynamo = await proxy("dynamoUrl");
    const settings = await properties({ dynamoDBEndpoint: dynamo.url });
    const { client } = await tableByHand([]);
    const text = (AttributeName: string) => ({ AttributeName, AttributeType: "S" }) as const;
    await client.createTable({
      TableName: settings.applicationName,
      AttributeDefinitions: [text("leaseKey"), text("leaseOwner")],
      KeySchema: [{ AttributeName: "leaseKey", KeyType: "HASH" }],
      BillingMode: "PAY_PER_REQUEST",
      GlobalSecondaryIndexes: [
        {
          IndexName: "LeaseOwnerToLeaseKeyIndex",
          KeySchema: [
            { AttributeName: "leaseOwner", KeyType: "HASH" },
            { AttributeName: "leaseKey", KeyType: "RANGE" },
          ],
          Projection: { ProjectionType: "KEYS_ONLY" },
        },
      ],
    });
    if (right === "denied") {
      dynamo.next("Query", { type: "error", name: "AccessDeniedException" }, 9);
    }
    const { having, finding } = await examine(settings);
    expect(having("failed")).toEqual([]);
    expect(finding("permission dynamodb:Query")?.verdict).toBe(verdict);
    expect(finding("permission dynamodb:Query")?.remedy ?? "none").toMatch(
      right === "denied" ? /iam-policy --java-fleet/ : /none/,
    );
    expect(dynamo.count("Query")).toBe(1);
  });

  it("no problem when polling and DescribeStreamSummary is denied", async () => {
    const kinesis = await proxy("kinesisUrl");
    kinesis.next("DescribeStreamSummary", { type: "error", name: "AccessDeniedException" }, 9);
    const { having, finding } = await examine(await properties({ kinesisEndpoint: kinesis.url }));
    expect(having("failed")).toEqual([]);
    expect(finding("stream")?.message).toMatch(/the stream exists, 2 open shards/);
  });

  it("a table that is not a lease table", async () => {
    const settings = await properties();
    const { client } = await tableByHand([]);
    await client.createTable({
      TableName: settings.applicationName,
      AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
      KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
      BillingMode: "PAY_PER_REQUEST",
    });
    const { having, finding } = await examine(settings);
    expect(having("failed")).toEqual(["lease table"]);
    expect(finding("lease table")?.message).toMatch(/its key is id \(HASH\), not leaseKey/);
    expect(finding("permission dynamodb:PutItem")?.verdict).toBe("not checked");
  });

  it.each([
    [
      "another stream's leases",
      [javaLease({ key: "shardId-000000000077" })],
      "coverage",
      /none of the 1 lease is for a shard/,
    ],
    [
      "hash keys without a lease",
      [javaLease({ key: FIRST, range: LOWER_HALF })],
      "coverage",
      /no lease covers the hash keys from 170141183460469231731687303715884105727/,
    ],
    [
      "leases of a stream that was deleted and created again",
      [
        javaLease({ key: FIRST, range: LOWER_HALF, checkpoint: "77" }),
        javaLease({ key: SECOND, range: UPPER_HALF }),
      ],
      "places",
      /shardId-000000000000: its checkpoint is 77, and the shard begins at 4/,
    ],
    [
      "a row that is not a lease",
      [
        javaLease({ key: FIRST, range: LOWER_HALF }),
        javaLease({ key: SECOND, range: UPPER_HALF }),
        { leaseKey: { S: "order-1" } },
      ],
      "foreign rows",
      /order-1.*no/,
    ],
  ])("%s", async (_, rows, check, message) => {
    const settings = await properties();
    await tableByHand(rows, settings.applicationName);
    const { having, finding } = await examine(settings);
    expect(having("failed")).toEqual([check]);
    expect(finding(check)).toMatchObject({
      message: expect.stringMatching(message),
      remedy: expect.any(String),
    });
  });

  it("child shards that have no lease", async () => {
    const settings = await properties();
    const ended = javaLease({ key: FIRST, range: LOWER_HALF, checkpoint: "SHARD_END" });
    await tableByHand(
      [ended, javaLease({ key: SECOND, range: UPPER_HALF })],
      settings.applicationName,
    );
    await split(settings.streamName, FIRST);
    const { having, finding } = await examine(settings);
    expect(having("failed")).toEqual(["coverage"]);
    expect(finding("coverage")).toMatchObject({
      message: expect.stringMatching(/without a lease: shardId-000000000002, shardId-000000000003/),
      remedy: expect.stringMatching(/creates their leases within seconds/),
    });
  });

  it("a wrong row in the place of a lease, which no daemon repairs", async () => {
    const settings = await properties();
    const damaged = {
      ...javaLease({ key: SECOND, range: UPPER_HALF }),
      checkpoint: { S: "nonsense" },
    };
    await tableByHand(
      [javaLease({ key: FIRST, range: LOWER_HALF }), damaged],
      settings.applicationName,
    );
    const { having, finding } = await examine(settings);
    expect(having("failed")).toEqual(["foreign rows", "coverage"]);
    expect(finding("coverage")).toMatchObject({
      message: expect.stringContaining(`their rows are wrong: ${SECOND}`),
      remedy: expect.stringMatching(/No daemon can repair this/),
    });
  });

  it("the leases of an application that reads several streams", async () => {
    const settings = await properties();
    const key = "123456789012:orders:1700000000:shardId-000000000000";
    await tableByHand([javaLease({ key })], settings.applicationName);
    const { having, finding } = await examine(settings);
    expect(having("failed")).toEqual(["foreign rows"]);
    expect(finding("foreign rows")?.message).toMatch(/several streams.*orders/s);
  });

  it("a checkpoint that Kinesis rejects although it does not contradict the shard list", async () => {
    const kinesis = await proxy("kinesisUrl");
    const settings = await properties({ kinesisEndpoint: kinesis.url });
    const [put1] = await put(settings.streamName, ["word"]);
    const key = put1?.shardId ?? "";
    const other = key === FIRST ? SECOND : FIRST;
    const range = (of: string) => (of === FIRST ? LOWER_HALF : UPPER_HALF);
    const at = { key, range: range(key), checkpoint: put1?.sequenceNumber ?? "" };
    await tableByHand(
      [javaLease(at), javaLease({ key: other, range: range(other) })],
      settings.applicationName,
    );
    expect((await examine(settings)).finding("lease places")?.verdict).toBe("ok");
    kinesis.next("GetShardIterator", { type: "error", name: "InvalidArgumentException" }, 9);
    const { finding } = await examine(settings);
    expect(finding("lease places")).toMatchObject({
      verdict: "failed",
      message: expect.stringContaining(`${key}: InvalidArgumentException`),
      remedy: expect.stringContaining(`checkpoints reset --shard ${key} --to trim-horizon`),
    });
  });

  it("too few workers", async () => {
    const { having, finding } = await examine(await properties({ maxLeasesForWorker: 1 }));
    expect(having("warning")).toEqual(["lease limit"]);
    expect(finding("lease limit")?.message).toMatch(/fewer than 2 workers/);
  });
});

it("prints each finding with its remedy, and a summary at the end", async () => {
  const settings = await properties({ executableName: "./nowhere.py" });
  await put(settings.streamName, ["a"]);
  const file = await propertiesFile(settings);
  const { stdout, exitCode } = await kinesisMultilang(["doctor", file]);
  expect(exitCode).toBe(1);
  expect(stdout).toMatch(/^FAIL {2}executable .*nowhere\.py.*\n {6}-> Correct executableName/m);
  expect(stdout).toMatch(/^ok {4}kinesis:GetRecords {2,}allowed$/m);
  expect(stdout).toMatch(/\n\n\d+ ok, 1 failed, 1 not checked$/);
  const healthy = await propertiesFile({ ...settings, executableName: "cat" });
  const json = await kinesisMultilang(["doctor", "-p", healthy, "--json"]);
  expect(json).toMatchObject({ exitCode: 0, stderr: "" });
  expect(JSON.parse(json.stdout)).toMatchObject({ healthy: true, findings: expect.any(Array) });
});
