// The policy for a properties file: it allows what a daemon calls, and nothing else.

import { describe, expect, inject, it, onTestFinished } from "vitest";
import type { Policy } from "../../src/operator/policy.ts";
import { kinesisMultilang } from "../operator/tables.ts";
import { propertiesFile, startDaemon } from "../support/daemon.ts";
import { createStream, put, uniqueName, until } from "../support/emulators.ts";
import { startFaultProxy } from "../support/faultProxy.ts";
import { Journal } from "../support/journal.ts";

const BASE = {
  executableName: "cat",
  streamName: "words",
  applicationName: "word-count",
  retrievalMode: "POLLING",
  regionName: "eu-west-1",
  metricsLevel: "NONE",
};

async function policyOf(
  properties: Readonly<Record<string, string | number>>,
  args: readonly string[] = [],
) {
  const file = await propertiesFile({ ...BASE, ...properties });
  const env = { AWS_REGION: "", AWS_CONFIG_FILE: "/nonexistent" };
  const { stdout, stderr, exitCode } = await kinesisMultilang(
    ["iam-policy", "-p", file, ...args],
    env,
  );
  expect(exitCode, stderr).toBe(0);
  const policy = JSON.parse(stdout) as Policy;
  const statement = (sid: string) => policy.Statement.find(({ Sid }) => Sid === sid);
  const actions = policy.Statement.flatMap(({ Action }) => Action);
  return { policy, statement, actions, notes: stderr };
}

describe("iam-policy", () => {
  it("prints exactly this policy for polling", async () => {
    const { policy } = await policyOf({}, ["--account", "123456789012"]);
    expect(policy).toEqual({
      Version: "2012-10-17",
      Statement: [
        {
          Sid: "ReadStream",
          Effect: "Allow",
          Action: ["kinesis:ListShards", "kinesis:GetShardIterator", "kinesis:GetRecords"],
          Resource: "arn:aws:kinesis:eu-west-1:123456789012:stream/words",
        },
        {
          Sid: "ShareLeases",
          Effect: "Allow",
          Action: [
            "dynamodb:DescribeTable",
            "dynamodb:Scan",
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
            "dynamodb:DeleteItem",
          ],
          Resource: "arn:aws:dynamodb:eu-west-1:123456789012:table/word-count",
        },
        {
          Sid: "CreateLeaseTable",
          Effect: "Allow",
          Action: ["dynamodb:CreateTable"],
          Resource: "arn:aws:dynamodb:eu-west-1:123456789012:table/word-count",
        },
        {
          Sid: "LookForJavaFleet",
          Effect: "Allow",
          Action: ["dynamodb:BatchGetItem", "dynamodb:Scan"],
          Resource: [
            "arn:aws:dynamodb:eu-west-1:123456789012:table/word-count-CoordinatorState",
            "arn:aws:dynamodb:eu-west-1:123456789012:table/word-count-WorkerMetricStats",
          ],
        },
      ],
    });
  });

  it("adds the consumer for fan-out, and its registration only if the daemon registers it", async () => {
    const consumer = "arn:aws:kinesis:eu-west-1:123456789012:stream/words/consumer/mine:17";
    const given = await policyOf({ retrievalMode: "FANOUT", "fanoutConfig.consumerArn": consumer });
    expect(given.statement("SubscribeToShards")?.Resource).toBe(consumer);
    expect(given.actions).not.toContain("kinesis:RegisterStreamConsumer");
    const registered = await policyOf({ retrievalMode: "FANOUT" }, ["-a", "123456789012"]);
    const stream = "arn:aws:kinesis:eu-west-1:123456789012:stream/words";
    expect(registered.statement("RegisterConsumer")).toMatchObject({
      Action: expect.arrayContaining(["kinesis:RegisterStreamConsumer"]),
      Resource: [stream, `${stream}/consumer/word-count:*`],
    });
  });

  it("takes region, account and partition from the stream's ARN", async () => {
    const streamArn = "arn:aws-cn:kinesis:cn-north-1:123456789012:stream/words";
    const { statement, notes } = await policyOf({ streamArn, regionName: "cn-north-1" }, [
      ...["--kms-key", "arn:aws-cn:kms:cn-north-1:123456789012:key/k"],
    ]);
    expect(statement("ReadStream")?.Resource).toBe(streamArn);
    expect(statement("ShareLeases")?.Resource).toBe(
      "arn:aws-cn:dynamodb:cn-north-1:123456789012:table/word-count",
    );
    expect(statement("DecryptStream")?.Condition).toEqual({
      StringEquals: { "kms:ViaService": "kinesis.cn-north-1.amazonaws.com.cn" },
    });
    expect(notes).toMatch(/in the stream's account, 123456789012/);
  });

  it("uses placeholders for what is not known, and prints a note about them", async () => {
    const { statement, notes } = await policyOf({ regionName: "" });
    expect(statement("ReadStream")?.Resource).toBe(
      "arn:aws:kinesis:REGION:ACCOUNT_ID:stream/words",
    );
    expect(notes).toMatch(/Replace REGION and ACCOUNT_ID/);
  });

  it("allows metrics in the application's namespace, where they are published", async () => {
    const { statement } = await policyOf({ metricsLevel: "DETAILED" });
    expect(statement("PublishMetrics")).toEqual({
      Sid: "PublishMetrics",
      Effect: "Allow",
      Action: ["cloudwatch:PutMetricData"],
      Resource: "*",
      Condition: { StringEquals: { "cloudwatch:namespace": "word-count" } },
    });
    const { policy } = await policyOf({ metricsLevel: "DETAILED", emfDestination: "stdout" });
    expect(JSON.stringify(policy)).not.toContain("cloudwatch");
  });

  it.each([
    [
      "sqs:https://sqs.eu-west-1.amazonaws.com/123456789012/dead",
      ["sqs:SendMessage"],
      "arn:aws:sqs:eu-west-1:123456789012:dead",
    ],
    [
      "sqs:arn:aws:sqs:eu-west-1:123456789012:dead",
      ["sqs:GetQueueUrl", "sqs:SendMessage"],
      "arn:aws:sqs:eu-west-1:123456789012:dead",
    ],
    [
      "sns:arn:aws:sns:eu-west-1:123456789012:dead",
      ["sns:Publish"],
      "arn:aws:sns:eu-west-1:123456789012:dead",
    ],
    ["s3:bucket/folder", ["s3:PutObject"], "arn:aws:s3:::bucket/folder/word-count/words/*"],
    ["kinesis:dead", ["kinesis:PutRecords"], "arn:aws:kinesis:eu-west-1:ACCOUNT_ID:stream/dead"],
  ])("allows dead letters to %s", async (onFailureDestination, actions, resource) => {
    const { statement } = await policyOf({ onFailureDestination, maximumRetryAttempts: 3 });
    expect(statement("SendDeadLetters")).toMatchObject({ Action: actions, Resource: resource });
  });

  it("leaves out and adds what the options name", async () => {
    const less = await policyOf({ leaseTablePitrEnabled: "true", tableName: "my-leases" }, [
      "--no-create-table",
    ]);
    expect(less.statement("CreateLeaseTable")).toBeUndefined();
    expect(less.statement("ShareLeases")).toMatchObject({
      Action: expect.arrayContaining(["dynamodb:UpdateContinuousBackups"]),
      Resource: expect.stringMatching(/table\/my-leases$/),
    });
    const more = await policyOf({}, ["--java-fleet"]);
    expect(more.statement("JoinJavaFleet")).toMatchObject({
      Action: ["dynamodb:UpdateItem", "dynamodb:DeleteItem"],
      Resource: [
        expect.stringMatching(/table\/word-count-CoordinatorState$/),
        expect.stringMatching(/table\/word-count-WorkerMetricStats$/),
      ],
    });
    expect(more.statement("FindAssignedLeases")).toMatchObject({
      Action: ["dynamodb:Query"],
      Resource: expect.stringMatching(/table\/word-count\/index\/LeaseOwnerToLeaseKeyIndex$/),
    });
    expect(less.statement("FindAssignedLeases")).toBeUndefined();
  });

  it.each([
    ["an account id that is not valid", ["--account", "12"], /12 digits/],
    ["a key's alias", ["--kms-key", "arn:aws:kms:eu-west-1:123456789012:alias/x"], /alias/],
  ])("explains %s", async (_, args, message) => {
    const file = await propertiesFile(BASE);
    const { exitCode, stderr } = await kinesisMultilang(["iam-policy", "-p", file, ...args]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: expect.stringMatching(message) });
  });
});

it("allows every call that a daemon makes", async () => {
  const [kinesis, dynamo] = await Promise.all([
    startFaultProxy(inject("kinesisUrl")),
    startFaultProxy(inject("dynamoUrl")),
  ]);
  onTestFinished(async () => {
    await Promise.all([kinesis.stop(), dynamo.stop()]);
  });
  const streamName = await createStream("policy", 2);
  const journal = await Journal.create();
  await put(streamName, ["a", "b", "c", "d"]);
  const properties = {
    streamName,
    applicationName: uniqueName("policy"),
    executableName: journal.command(),
    kinesisEndpoint: kinesis.url,
    dynamoDBEndpoint: dynamo.url,
    failoverTimeMillis: 1_000,
  };
  const daemon = await startDaemon({ properties, env: journal.env });
  await until("the words", async () => (await journal.words()).length === 4);
  await daemon.waitFor("leaseRenewed");
  await daemon.stop();
  const called = new Set([
    ...kinesis.calls.map(({ operation }) => `kinesis:${operation}`),
    ...dynamo.calls.map(({ operation }) => `dynamodb:${operation}`),
  ]);
  const { actions } = await policyOf(properties);
  expect(called.size).toBeGreaterThan(7);
  expect([...called].filter((action) => !actions.includes(action))).toEqual([]);
});
