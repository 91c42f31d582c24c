// Access keys change at their source while the program runs, and a service refuses the old ones.

import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { ListStreamsCommand } from "@aws-sdk/client-kinesis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { dynamoClient } from "../../src/aws/dynamoClient.ts";
import { type Credentials, keepCredentials } from "../../src/aws/keptCredentials.ts";
import { kinesisClient, subscriptionClient } from "../../src/aws/kinesisClient.ts";
import { awsOptions } from "../../src/aws/options.ts";
import { loadSettings } from "../../src/config/loadSettings.ts";
import type { Event } from "../../src/events.ts";
import { redact } from "../../src/redact.ts";

/** The access keys that the services accept; others are expired. */
const accepted = new Set<string>();
const calls: { readonly key: string; readonly refused: boolean }[] = [];
const server = createServer((request, response) => {
  void text(request).then((body) => {
    const signed = /Credential=([^/]+)\//.exec(String(request.headers.authorization))?.[1];
    const asked = new URLSearchParams(body);
    // A web identity call is not signed: the service checks its token instead.
    const key = signed ?? asked.get("WebIdentityToken") ?? "";
    const refused = !accepted.has(key);
    calls.push({ key, refused });
    const sts = asked.get("Action");
    const [status, answer] = sts ? stsAnswer(sts, key, refused) : jsonAnswer(refused);
    response.writeHead(status, { "content-type": sts ? "text/xml" : "application/x-amz-json-1.1" });
    response.end(answer);
  });
});

function jsonAnswer(refused: boolean): [number, string] {
  const message = "The security token included in the request is expired";
  if (refused) return [400, JSON.stringify({ __type: "ExpiredTokenException", message })];
  return [200, JSON.stringify({ StreamNames: [], HasMoreStreams: false, TableNames: [] })];
}

/** The name of a role's key contains the key that assumed the role. */
function stsAnswer(action: string, key: string, refused: boolean): [number, string] {
  if (refused) {
    const error = "<Type>Sender</Type><Code>ExpiredToken</Code><Message>expired</Message>";
    return [403, `<ErrorResponse><Error>${error}</Error></ErrorResponse>`];
  }
  const expiration = new Date(Date.now() + 3_600_000).toISOString();
  const keys = `<AccessKeyId>ROLE${key}</AccessKeyId><SecretAccessKey>rolesecret</SecretAccessKey><SessionToken>t</SessionToken>`;
  const credentials = `<Credentials>${keys}<Expiration>${expiration}</Expiration></Credentials>`;
  return [
    200,
    `<${action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><${action}Result>${credentials}</${action}Result></${action}Response>`,
  ];
}

let url = "";
let folder = "";
const before = { ...process.env };
const path = (name: string) => join(folder, name);
const write = (name: string, content: string) => writeFileSync(path(name), content);
const profile = (name: string, key: string) =>
  write("credentials", `[${name}]\naws_access_key_id = ${key}\naws_secret_access_key = s\n`);

beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rotated-"));
  calls.length = 0;
  accepted.clear();
  for (const name of Object.keys(process.env))
    if (name.startsWith("AWS_")) delete process.env[name];
  Object.assign(process.env, {
    AWS_CONFIG_FILE: path("config"),
    AWS_SHARED_CREDENTIALS_FILE: path("credentials"),
    AWS_EC2_METADATA_DISABLED: "true",
    AWS_ENDPOINT_URL_STS: url,
  });
});
afterEach(() => {
  process.env = { ...before };
  rmSync(folder, { recursive: true });
});

/**
 * Options whose credentials come from the test's files. The service does not count as an emulator.
 */
async function optionsFor(provider: string, emit: (event: Event) => void) {
  const { settings } = loadSettings({
    environment: {},
    flags: {
      executableName: "x",
      applicationName: "app",
      streamName: "words",
      regionName: "eu-west-1",
      kinesisEndpoint: url,
      dynamoDBEndpoint: url,
      AwsCredentialsProvider: provider,
    },
  });
  const kinesis = await awsOptions(settings, "kinesis", { emit });
  return { kinesis, dynamodb: await awsOptions(settings, "dynamodb", { emit }) };
}

const ROLE = "arn:aws:iam::123456789012:role/reader";

describe("replaces rotated keys, without a failed call, from", () => {
  test.each([
    {
      from: "the file, by the default chain",
      provider: "EnvironmentVariableCredentialsProvider,DefaultCredentialsProvider",
      have: (key: string) => profile("default", key),
      keys: (key: string) => [key],
    },
    {
      from: "a profile of the file",
      provider: "ProfileCredentialsProvider|prod",
      have: (key: string) => profile("prod", key),
      keys: (key: string) => [key],
    },
    {
      from: "a role with a source_profile",
      provider: "ProfileCredentialsProvider|reader",
      have: (key: string) => {
        write("config", `[profile reader]\nrole_arn = ${ROLE}\nsource_profile = base\n`);
        profile("base", key);
      },
      keys: (key: string) => [`ROLE${key}`, key],
    },
    {
      from: "a role that is assumed with the keys of the file",
      provider: () => `StsAssumeRoleCredentialsProvider|${ROLE}|s|endpoint=${url}^eu-west-1`,
      have: (key: string) => profile("default", key),
      keys: (key: string) => [`ROLE${key}`, key],
    },
    {
      from: "credential_process",
      provider: "DefaultCredentialsProvider,ProfileCredentialsProvider",
      have: (key: string) => {
        const keys = { Version: 1, AccessKeyId: key, SecretAccessKey: "s" };
        write("keys.json", JSON.stringify(keys));
        write("config", `[default]\ncredential_process = cat "${path("keys.json")}"\n`);
      },
      keys: (key: string) => [key],
    },
    {
      from: "a web identity",
      provider: "WebIdentityTokenFileCredentialsProvider",
      have: (key: string) => {
        write("token", key);
        Object.assign(process.env, {
          AWS_WEB_IDENTITY_TOKEN_FILE: path("token"),
          AWS_ROLE_ARN: ROLE,
        });
      },
      keys: (key: string) => [`ROLE${key}`, key],
    },
  ])("$from", async ({ provider, have, keys }) => {
    const events: Event[] = [];
    have("OLDKEY");
    for (const key of keys("OLDKEY")) accepted.add(key);
    const named = typeof provider === "string" ? provider : provider();
    const options = await optionsFor(named, (event) => events.push(event));
    const kinesis = kinesisClient(options.kinesis);
    const subscribing = subscriptionClient(options.kinesis);
    const dynamo = await dynamoClient(options.dynamodb);
    const callAll = () =>
      Promise.all([
        ...Array.from({ length: 10 }, () => kinesis.send(new ListStreamsCommand())),
        subscribing.send(new ListStreamsCommand()),
        dynamo.listTables(),
      ]);
    try {
      await callAll();
      expect(calls.some(({ refused }) => refused)).toBe(false);

      have("NEWKEY");
      accepted.clear();
      for (const key of keys("NEWKEY")) accepted.add(key);
      await callAll();
      expect(calls.some(({ refused }) => refused)).toBe(true);
      expect(events).toEqual([{ type: "credentialsRenewed", why: "ExpiredTokenException" }]);

      calls.length = 0;
      await callAll();
      expect(calls).toHaveLength(12);
      expect(calls.some(({ refused }) => refused)).toBe(false);
    } finally {
      for (const client of [kinesis, subscribing, dynamo]) client.destroy();
    }
  });

  test("reports refused keys that cannot be replaced, and does not fetch keys for each of many calls", async () => {
    write("asked", "");
    const keys = '{"Version":1,"AccessKeyId":"OLDKEY","SecretAccessKey":"s"}';
    write("ask.sh", `echo >> "${path("asked")}"\necho '${keys}'\n`);
    write("config", `[default]\ncredential_process = sh "${path("ask.sh")}"\n`);
    const { kinesis: options } = await optionsFor("ProfileCredentialsProvider", () => {});
    const kinesis = kinesisClient({ ...options, maxAttempts: 1 });
    const call = () => kinesis.send(new ListStreamsCommand());
    try {
      const results = await Promise.allSettled(Array.from({ length: 20 }, call));
      await expect(call()).rejects.toThrow(/security token .* is expired/);
      expect(results.every(({ status }) => status === "rejected")).toBe(true);
      expect(readFileSync(path("asked"), "utf8")).toBe("\n\n");
    } finally {
      kinesis.destroy();
    }
  });
});

describe("cached credentials", () => {
  const keys = (accessKeyId: string, expiration?: Date): Credentials => ({
    accessKeyId,
    secretAccessKey: `secret of ${accessKeyId}`,
    ...(expiration && { expiration }),
  });
  const clockAt = (startMs: number) => {
    let nowMs = startMs;
    const pass = (ms: number) => {
      nowMs += ms;
    };
    return { clock: { now: () => nowMs, monotonicMs: () => nowMs, sleep: async () => {} }, pass };
  };

  test("are fetched again after some seconds while the old ones are refused", async () => {
    const { clock, pass } = clockAt(0);
    const found = ["A", "A", "A", "B"];
    const kept = keepCredentials(async () => keys(found.shift() ?? ""), { clock });
    const old = await kept();
    expect(await kept.renew(old, "ExpiredToken")).toBe(false);
    expect(await kept.renew(old, "ExpiredToken")).toBe(false);
    expect(found).toEqual(["A", "B"]);
    pass(5_000);
    expect(await kept.renew(old, "ExpiredToken")).toBe(false);
    pass(5_000);
    expect(await kept.renew(old, "ExpiredToken")).toBe(true);
    expect(await kept()).toMatchObject({ accessKeyId: "B" });
    // A refusal of the keys before the renewal does not concern the new keys.
    expect(await kept.renew(old, "ExpiredToken")).toBe(true);
    expect(await kept()).toMatchObject({ accessKeyId: "B" });
  });

  test("are used until they expire if no new ones are available; then the error names the cause", async () => {
    const { clock, pass } = clockAt(0);
    const events: Event[] = [];
    const answers: (Credentials | Error)[] = [
      keys("A", new Date(600_000)),
      ...Array.from({ length: 3 }, () => new Error("STS is away")),
      keys("B", new Date(6_000_000)),
    ];
    const provide = async () => {
      const next = answers.shift();
      if (next === undefined || next instanceof Error) throw next;
      return next;
    };
    const kept = keepCredentials(provide, { clock, emit: (event) => events.push(event) });
    await kept();
    pass(300_000);
    expect(await kept()).toMatchObject({ accessKeyId: "A" });
    expect(await kept()).toMatchObject({ accessKeyId: "A" });
    expect(answers).toHaveLength(3);
    pass(30_000);
    expect(await kept()).toMatchObject({ accessKeyId: "A" });
    expect(events).toEqual([
      { type: "credentialsTrouble", error: new Error("STS is away"), validForMs: 300_000 },
      { type: "credentialsTrouble", error: new Error("STS is away"), validForMs: 270_000 },
    ]);
    pass(270_000);
    // Not a UserError, which would end the daemon.
    await expect(kept()).rejects.toMatchObject({
      name: "CredentialsProviderError",
      message: "STS is away",
    });
    expect(await kept()).toMatchObject({ accessKeyId: "B" });
  });

  test("stay in use, although refused, while no others are available", async () => {
    const events: Event[] = [];
    let away = false;
    const provide = async () => {
      if (away) throw new Error("no such file");
      return keys("A");
    };
    const kept = keepCredentials(provide, { emit: (event) => events.push(event) });
    const old = await kept();
    away = true;
    expect(await kept.renew(old, "ExpiredToken")).toBe(false);
    expect(await kept()).toEqual(old);
    expect(events).toEqual([
      { type: "credentialsTrouble", error: new Error("no such file"), validForMs: 0 },
    ]);
  });

  test("are never printed", async () => {
    const kept = keepCredentials(async () => ({ ...keys("A"), sessionToken: "token of A" }));
    await kept();
    expect(redact("A, secret of A, token of A")).toBe("A, *****, *****");
  });
});
