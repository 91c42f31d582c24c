import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { DynamoDB } from "@aws-sdk/client-dynamodb";
import { KinesisClient } from "@aws-sdk/client-kinesis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { dynamoClient } from "../../src/aws/dynamoClient.ts";
import { awsOptions, isLoopback } from "../../src/aws/options.ts";
import { regionIn } from "../../src/aws/region.ts";
import { loadSettings } from "../../src/config/loadSettings.ts";
import type { Event } from "../../src/events.ts";
import { UserError } from "../../src/model/errors.ts";

// One server stands for STS, the instance metadata service and the container metadata service.
interface Call {
  readonly request: IncomingMessage;
  readonly body: string;
}
const calls: Call[] = [];
const answers = new Map<string, { readonly status?: number; readonly body: string }>();
const server = createServer((request, response) => {
  void text(request).then((body) => {
    calls.push({ request, body });
    const { status = 200, body: answer } = answers.get(request.url ?? "") ?? {
      status: 404,
      body: "",
    };
    response.writeHead(status).end(answer);
  });
});
let url = "";
let folder = "";
const before = { ...process.env };
const set = (variables: Readonly<Record<string, string>>) => Object.assign(process.env, variables);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "aws-"));
  writeFileSync(
    join(folder, "config"),
    "[default]\nregion = eu-central-1\n[profile prod]\nregion = eu-north-1\n  region = nested\n",
  );
  writeFileSync(
    join(folder, "credentials"),
    "[prod]\naws_access_key_id = PRODKEY\naws_secret_access_key = prodsecret\n",
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

beforeEach(() => {
  calls.length = 0;
  answers.clear();
  for (const name of Object.keys(process.env))
    if (name.startsWith("AWS_")) delete process.env[name];
  // The test must not find this machine's own files.
  set({ AWS_CONFIG_FILE: join(folder, "none") });
  set({ AWS_SHARED_CREDENTIALS_FILE: join(folder, "none") });
  set({ AWS_EC2_METADATA_SERVICE_ENDPOINT: url });
});
afterEach(() => {
  process.env = { ...before };
});

const events: Event[] = [];
const emit = (event: Event) => void events.push(event);

function settings(flags: Readonly<Record<string, string>>) {
  const required = { executableName: "x", applicationName: "app", streamName: "words" };
  return loadSettings({ environment: {}, flags: { ...required, ...flags } }).settings;
}

const credentialsOf = async (flags: Readonly<Record<string, string>>) =>
  (
    await awsOptions(settings({ regionName: "eu-west-1", ...flags }), "kinesis", { emit })
  ).credentials();

describe("the region", () => {
  const region = async (flags: Readonly<Record<string, string>> = {}) =>
    (await awsOptions(settings(flags), "dynamodb")).region;

  test("is the configured one, if there is one", async () => {
    set({ AWS_REGION: "eu-west-2" });
    expect(await region({ regionName: "eu-west-1" })).toBe("eu-west-1");
    expect(await region({ regionName: "eu-west-1", "dynamoDbClient.region": "eu-west-3" })).toBe(
      "eu-west-3",
    );
    expect(await region()).toBe("eu-west-2");
  });

  test("comes from the profile, then from AWS_DEFAULT_REGION", async () => {
    set({ AWS_DEFAULT_REGION: "sa-east-1" });
    expect(await region()).toBe("sa-east-1");
    set({ AWS_CONFIG_FILE: join(folder, "config") });
    expect(await region()).toBe("eu-central-1");
    set({ AWS_PROFILE: "prod" });
    expect(await region()).toBe("eu-north-1");
  });

  test("comes from the instance metadata, which the SDK for JavaScript ignores", async () => {
    answers.set("/latest/api/token", { body: "token" });
    answers.set("/latest/meta-data/placement/region", { body: "ap-south-1" });
    expect(await region()).toBe("ap-south-1");
    expect(calls.at(-1)?.request.headers["x-aws-ec2-metadata-token"]).toBe("token");
  });

  test("comes from the stream's ARN when no other place names one", async () => {
    const streamArn = "arn:aws:kinesis:us-west-2:123456789012:stream/words";
    expect(await region({ streamArn })).toBe("us-west-2");
  });

  test("is required: the error lists the places that were tried", async () => {
    await expect(region()).rejects.toThrow(UserError);
    await expect(region()).rejects.toThrow(
      /no AWS region for dynamodb: set regionName, .*AWS_REGION, the profile/,
    );
  });

  test.each([
    ["[a]\nregion=x\n[b]\nregion=y", "b", "y"],
    ["[profile b c]\nregion=y", "b c", "y"],
    ['[profile "b"]\r\nregion = y\r\n', "b", "y"],
    ["[b]\ns3 =\n  region = nested\n", "b", undefined],
  ])("in %j", (config, profile, expected) => {
    expect(regionIn(config, profile)).toBe(expected);
  });
});

describe("credentials", () => {
  test("of the default chain come from the environment even if AWS_PROFILE is set, as in Java", async () => {
    set({
      AWS_ACCESS_KEY_ID: "ENVKEY",
      AWS_SECRET_ACCESS_KEY: "s",
      AWS_PROFILE: "prod",
      AWS_SHARED_CREDENTIALS_FILE: join(folder, "credentials"),
    });
    expect(await credentialsOf({})).toMatchObject({ accessKeyId: "ENVKEY" });
  });

  test("come from a profile, or from the next provider if the profile does not exist", async () => {
    set({ AWS_SHARED_CREDENTIALS_FILE: join(folder, "credentials") });
    const AwsCredentialsProvider =
      "ProfileCredentialsProvider|none,ProfileCredentialsProvider|prod";
    expect(await credentialsOf({ AwsCredentialsProvider })).toMatchObject({
      accessKeyId: "PRODKEY",
    });
  });

  test("come from the container's metadata", async () => {
    set({ AWS_CONTAINER_CREDENTIALS_FULL_URI: `${url}/container` });
    const Expiration = new Date(Date.now() + 3_600_000).toISOString();
    answers.set("/container", {
      body: JSON.stringify({ AccessKeyId: "ECSKEY", SecretAccessKey: "s", Token: "t", Expiration }),
    });
    const AwsCredentialsProvider = "ContainerCredentialsProvider";
    expect(await credentialsOf({ AwsCredentialsProvider })).toMatchObject({
      accessKeyId: "ECSKEY",
      sessionToken: "t",
    });
  });

  test("of EC2ContainerCredentialsProviderWrapper come from the container, or outside of one from the instance", async () => {
    const Expiration = new Date(Date.now() + 3_600_000).toISOString();
    const answer = (AccessKeyId: string) => ({
      body: JSON.stringify({
        ...{ Code: "Success", AccessKeyId, SecretAccessKey: "s", Token: "t", Expiration },
      }),
    });
    answers.set("/container", answer("ECSKEY"));
    answers.set("/latest/api/token", { body: "token" });
    answers.set("/latest/meta-data/iam/security-credentials/", { body: "role" });
    answers.set("/latest/meta-data/iam/security-credentials/role", answer("EC2KEY"));
    const AwsCredentialsProvider = "EC2ContainerCredentialsProviderWrapper";
    expect(await credentialsOf({ AwsCredentialsProvider })).toMatchObject({
      accessKeyId: "EC2KEY",
    });
    set({ AWS_CONTAINER_CREDENTIALS_FULL_URI: `${url}/container` });
    expect(await credentialsOf({ AwsCredentialsProvider })).toMatchObject({
      accessKeyId: "ECSKEY",
    });
    // Inside a container, the identity of the instance must not replace that of the container.
    answers.delete("/container");
    await expect(credentialsOf({ AwsCredentialsProvider })).rejects.toThrow(UserError);
  });

  test("of a role come from one STS call for all services, with session name and external id", async () => {
    set({ AWS_ACCESS_KEY_ID: "ENVKEY", AWS_SECRET_ACCESS_KEY: "s" });
    answers.set("/", { body: assumed(new Date(Date.now() + 3_600_000)) });
    const own = settings({
      regionName: "eu-west-1",
      AwsCredentialsProvider: `StsAssumeRoleCredentialsProvider|arn:aws:iam::123456789012:role/r|session|externalId=ext|endpoint=${url}^eu-west-3`,
    });
    const services = ["kinesis", "dynamodb", "cloudwatch"] as const;
    const options = await Promise.all(services.map((service) => awsOptions(own, service)));
    const got = await Promise.all(options.map(({ credentials }) => credentials()));
    await options[0]?.credentials();
    expect(got.map(({ accessKeyId }) => accessKeyId)).toEqual(["ROLEKEY", "ROLEKEY", "ROLEKEY"]);
    expect(calls).toHaveLength(1);
    const asked = new URLSearchParams(calls[0]?.body);
    expect(Object.fromEntries(asked)).toMatchObject({
      RoleArn: "arn:aws:iam::123456789012:role/r",
      RoleSessionName: "session",
      ExternalId: "ext",
    });
    expect(calls[0]?.request.headers.authorization).toContain("ENVKEY");
    expect(calls[0]?.request.headers.authorization).toContain("/eu-west-3/sts/");
  });

  test("of a role are renewed before they expire", async () => {
    set({ AWS_ACCESS_KEY_ID: "ENVKEY", AWS_SECRET_ACCESS_KEY: "s" });
    answers.set("/", { body: assumed(new Date(Date.now() + 60_000)) });
    const AwsCredentialsProvider = `StsAssumeRoleCredentialsProvider|arn:aws:iam::123456789012:role/r|session|endpoint=${url}^eu-west-3`;
    const options = await awsOptions(
      settings({ regionName: "eu-west-1", AwsCredentialsProvider }),
      "kinesis",
    );
    await options.credentials();
    await options.credentials();
    expect(calls).toHaveLength(2);
  });

  test("are required: the error lists each provider that was tried", async () => {
    set({ AWS_EC2_METADATA_DISABLED: "true" });
    const found = credentialsOf({
      AwsCredentialsProvider:
        "EnvironmentVariableCredentialsProvider,ProfileCredentialsProvider|gone,DefaultCredentialsProvider",
    });
    await expect(found).rejects.toThrow(UserError);
    await expect(found).rejects.toThrow(
      /tried:\n {2}environment \(AWS_ACCESS_KEY_ID.*\n {2}profile gone in .*\n {2}default chain \(.*EC2 instance metadata\): .*\nProvide one of them/,
    );
  });

  test("are looked up again after a failed attempt", async () => {
    set({ AWS_EC2_METADATA_DISABLED: "true" });
    const options = await awsOptions(settings({ regionName: "eu-west-1" }), "kinesis");
    await expect(options.credentials()).rejects.toThrow(UserError);
    set({ AWS_ACCESS_KEY_ID: "LATE", AWS_SECRET_ACCESS_KEY: "s" });
    expect(await options.credentials()).toMatchObject({ accessKeyId: "LATE" });
  });
});

describe("a local endpoint", () => {
  beforeEach(() => {
    events.length = 0;
  });

  test("needs neither credentials nor a region, and no metadata service is called", async () => {
    const own = settings({
      kinesisEndpoint: "http://127.0.0.1:4567",
      AwsCredentialsProvider: "DefaultCredentialsProvider",
    });
    const options = await awsOptions(own, "kinesis", { emit });
    expect(options).toMatchObject({ region: "us-east-1", endpoint: "http://127.0.0.1:4567" });
    expect(await options.credentials()).toMatchObject({ accessKeyId: "local" });
    expect(calls).toEqual([]);
    expect(events).toEqual([
      {
        type: "configWarning",
        message:
          "no AWS credentials found; using made-up ones for the local endpoint http://127.0.0.1:4567",
      },
    ]);
  });

  test("may be named by the environment, unless the environment disables that", async () => {
    set({ AWS_ENDPOINT_URL_DYNAMODB: "http://localhost:1" });
    set({ AWS_ENDPOINT_URL: "http://localhost:2" });
    const own = settings({ regionName: "eu-west-1" });
    expect((await awsOptions(own, "dynamodb")).endpoint).toBe("http://localhost:1");
    expect((await awsOptions(own, "kinesis")).endpoint).toBe("http://localhost:2");
    set({ AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "true" });
    expect(await awsOptions(own, "kinesis")).not.toHaveProperty("endpoint");
  });

  test("uses existing keys", async () => {
    set({ AWS_ACCESS_KEY_ID: "ENVKEY", AWS_SECRET_ACCESS_KEY: "s" });
    expect(await credentialsOf({ kinesisEndpoint: "http://localhost:1" })).toMatchObject({
      accessKeyId: "ENVKEY",
    });
    expect(events).toEqual([]);
  });

  test("uses no made-up keys when a provider is configured", async () => {
    const flags = {
      kinesisEndpoint: "http://localhost:1",
      AwsCredentialsProvider: "EnvironmentVariableCredentialsProvider",
    };
    await expect(credentialsOf(flags)).rejects.toThrow(UserError);
  });

  test.each([
    ["http://localhost:1", true],
    ["http://kinesis.localhost", true],
    ["https://127.1.2.3/x", true],
    ["http://[::1]:4567", true],
    ["http://127.0.0.1.example.com", false],
    ["https://kinesis.eu-west-1.amazonaws.com", false],
    ["nonsense", false],
  ])("%s: %s", (endpoint, expected) => {
    expect(isLoopback(endpoint)).toBe(expected);
  });
});

test("returns options that the SDK's clients accept", async () => {
  const own = settings({
    kinesisEndpoint: url,
    dynamoDBEndpoint: url,
    "dynamoDbClient.fipsEnabled": "false",
  });
  const kinesis = new KinesisClient({ ...(await awsOptions(own, "kinesis")) });
  const dynamo = new DynamoDB({ ...(await awsOptions(own, "dynamodb")) });
  expect(await kinesis.config.region()).toBe("us-east-1");
  expect(await dynamo.config.credentials()).toMatchObject({ accessKeyId: "local" });
  kinesis.destroy();
  dynamo.destroy();
});

test.each([
  ["dynamoDbClient.fipsEnabled", "dynamodb-fips.eu-west-1.amazonaws.com"],
  ["dynamoDbClient.dualstackEnabled", "dynamodb.eu-west-1.api.aws"],
])("%s selects an endpoint of DynamoDB", async (key, hostname) => {
  set({ AWS_ACCESS_KEY_ID: "ENVKEY", AWS_SECRET_ACCESS_KEY: "s" });
  const own = settings({ regionName: "eu-west-1", [key]: "true" });
  const dynamo = await dynamoClient(await awsOptions(own, "dynamodb"));
  const hosts: string[] = [];
  dynamo.middlewareStack.add(
    () =>
      async ({ request }) => {
        hosts.push((request as { readonly hostname: string }).hostname);
        throw new Error("This call is not sent.");
      },
    { step: "finalizeRequest", priority: "low" },
  );
  await expect(dynamo.listTables()).rejects.toThrow("not sent");
  expect(hosts).toEqual([hostname]);
});

function assumed(expiration: Date): string {
  return `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
    <AccessKeyId>ROLEKEY</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>
    <Expiration>${expiration.toISOString()}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`;
}
