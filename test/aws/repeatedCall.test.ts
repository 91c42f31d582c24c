// Calls that copy the SDK's first request: to the service and to the caller they are the SDK's.

import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import {
  ConditionalCheckFailedException,
  type DynamoDB,
  type UpdateItemCommandInput,
} from "@aws-sdk/client-dynamodb";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { dynamoClient, itemUpdates } from "../../src/aws/dynamoClient.ts";
import { type Credentials, keepCredentials } from "../../src/aws/keptCredentials.ts";

interface Call {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

type Respond = (response: ServerResponse, request: IncomingMessage) => void;

const calls: Call[] = [];
const succeed: Respond = (response) => response.end("{}");
/** The service's behaviour, call by call; then it succeeds. */
const behaviour: Respond[] = [];
const server = createServer((request, response) => {
  void text(request).then((body) => {
    calls.push({ headers: request.headers as Record<string, string>, body });
    (behaviour.shift() ?? succeed)(response, request);
  });
});
let endpoint = "";
beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.closeAllConnections());
beforeEach(() => {
  calls.length = 0;
  behaviour.length = 0;
});

const refuse =
  (name: string, more: Readonly<Record<string, unknown>> = {}, date = new Date()): Respond =>
  (response) =>
    response
      .writeHead(400, { date: date.toUTCString(), "x-amzn-requestid": "the-id" })
      .end(JSON.stringify({ __type: `com.amazonaws#${name}`, message: "no", ...more }));

const update = (key: string): UpdateItemCommandInput => ({
  TableName: "table",
  Key: { leaseKey: { S: key } },
  UpdateExpression: "SET a = :a",
  ConditionExpression: "leaseCounter = :n",
  ExpressionAttributeValues: { ":a": { SS: ["ä", '"'] }, ":n": { N: "7" } },
});

function clientWith(keys: () => Credentials) {
  return dynamoClient({
    endpoint,
    region: "eu-west-1",
    credentials: keepCredentials(async () => keys()),
  });
}

const KEYS = { accessKeyId: "KEY", secretAccessKey: "secret", sessionToken: "token" };
const signal = new AbortController().signal;
const send = (client: DynamoDB) => {
  const updates = itemUpdates(client);
  return (key: string) => updates.send(update(key), signal);
};

/** Signs what was received once more, with the SDK's signer and the client's present keys. */
async function signatureOf({ headers, body }: Call, { config }: DynamoDB): Promise<string> {
  const { authorization = "", host = "", "x-amz-date": date = "" } = headers;
  const signed = /SignedHeaders=([^,]+)/.exec(authorization)?.[1]?.split(";") ?? [];
  const hashHeader = "x-amz-content-sha256";
  const signer = await config.signer();
  const request = {
    method: "POST",
    protocol: "http:",
    hostname: host,
    path: "/",
    headers: Object.fromEntries(signed.map((name) => [name, headers[name] ?? ""])),
    body,
  };
  const resigned = await signer.sign(request, {
    signingDate: new Date(date.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, "$1-$2-$3T$4:$5:$6Z")),
    signingService: "dynamodb",
    signingRegion: "eu-west-1",
    unsignableHeaders: new Set(signed.includes(hashHeader) ? [] : [hashHeader]),
  });
  return resigned.headers["authorization"] ?? "";
}

describe("a repeated call", () => {
  it.each([
    ["with a session token", KEYS],
    ["without one", { accessKeyId: "KEY", secretAccessKey: "secret" }],
  ])("is signed as the SDK would sign it, %s", async (_, keys) => {
    const client = await clientWith(() => keys);
    const call = send(client);
    for (const key of ["1", "2", "3"]) await call(key);
    expect(calls).toHaveLength(3);
    for (const [index, each] of calls.entries()) {
      expect(JSON.parse(each.body)).toEqual(update(String(index + 1)));
      expect(await signatureOf(each, client)).toBe(each.headers["authorization"]);
    }
    const [first, ...later] = calls.map(({ headers }) => headers);
    for (const name of ["content-type", "user-agent", "x-amz-target", "x-amz-security-token"]) {
      for (const headers of later) expect(headers[name]).toBe(first?.[name]);
    }
    // It really was a copy: the SDK numbers its calls.
    expect(calls.map(({ headers }) => "amz-sdk-invocation-id" in headers)).toEqual([
      true,
      false,
      false,
    ]);
  });

  it("fails with the SDK's error, and is sent once", async () => {
    const call = send(await clientWith(() => KEYS));
    await call("1");
    behaviour.push(refuse("ConditionalCheckFailedException", { Item: { a: { S: "b" } } }));
    const error = await call("2").catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ConditionalCheckFailedException);
    expect(error).toMatchObject({
      message: "no",
      Item: { a: { S: "b" } },
      $metadata: { httpStatusCode: 400, requestId: "the-id" },
    });
    expect(calls).toHaveLength(2);
  });

  it("is not sent again when its response is lost", async () => {
    const call = send(await clientWith(() => KEYS));
    await call("1");
    behaviour.push((_, request) => request.socket.destroy());
    await expect(call("2")).rejects.toMatchObject({ code: "ECONNRESET" });
    expect(calls).toHaveLength(2);
  });

  it("renews refused keys, and then repeats the call", async () => {
    let keys = KEYS;
    const client = await clientWith(() => keys);
    const call = send(client);
    await call("1");
    keys = { accessKeyId: "NEW", secretAccessKey: "other", sessionToken: "newer" };
    behaviour.push(refuse("ExpiredTokenException"));
    await call("2");
    await call("3");
    const tokens = calls.map(({ headers }) => headers["x-amz-security-token"]);
    expect(tokens).toEqual(["token", "token", "newer", "newer"]);
    for (const each of calls.slice(2)) {
      expect(await signatureOf(each, client)).toBe(each.headers["authorization"]);
    }
  });

  it("follows the service's clock after a refusal", async () => {
    const call = send(await clientWith(() => KEYS));
    await call("1");
    const service = new Date(Date.now() + 3_600_000);
    behaviour.push(refuse("RequestTimeTooSkewed", {}, service));
    await expect(call("2")).rejects.toThrow();
    await call("3");
    const day = (date: Date) => date.toISOString().slice(0, 13).replace(/-/g, "");
    expect(calls.at(-1)?.headers["x-amz-date"]?.slice(0, 11)).toBe(day(service));
  });
});
