// The request to STS, which we sign ourselves: against the examples that AWS publishes for its
// signatures, and against a small STS server.

import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { callerIdentity, signedHeaders } from "../../src/operator/doctor/callerIdentity.ts";

const KEYS = {
  accessKeyId: "AKIDEXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
};
const never = new AbortController().signal;

describe("signatures", () => {
  it.each([
    [
      "get-vanilla",
      "GET",
      {},
      "",
      "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    ],
    [
      "post-x-www-form-urlencoded",
      "POST",
      { "content-type": "application/x-www-form-urlencoded" },
      "Param1=value1",
      "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
    ],
  ])("are those of AWS's example %s", (_, method, headers, body, signature) => {
    const url = new URL("https://example.amazonaws.com/");
    const request = { method, url, headers, body, region: "us-east-1", service: "service" };
    const signed = signedHeaders(request, KEYS, new Date("2015-08-30T12:36:00Z"));
    expect(signed["authorization"]).toMatch(new RegExp(`Signature=${signature}$`));
    expect(signed["authorization"]).toContain(
      "Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request",
    );
  });
});

describe("the caller's identity", () => {
  afterEach(() => vi.unstubAllEnvs());

  async function sts(status: number, answer: string): Promise<IncomingMessage[]> {
    const requests: IncomingMessage[] = [];
    const server = createServer((request, response) => {
      requests.push(request);
      request.resume().on("end", () => response.writeHead(status).end(answer));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    vi.stubEnv(
      "AWS_ENDPOINT_URL_STS",
      `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    );
    onTestFinished(() => {
      server.close();
      server.closeAllConnections();
    });
    return requests;
  }

  it("is the account and ARN that STS returns", async () => {
    const requests = await sts(
      200,
      "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/Alice</Arn><UserId>A</UserId><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>",
    );
    const keys = { ...KEYS, sessionToken: "token" };
    expect(await callerIdentity(keys, "eu-west-1", never)).toEqual({
      account: "123456789012",
      arn: "arn:aws:iam::123456789012:user/Alice",
    });
    expect(requests[0]?.headers).toMatchObject({
      authorization: expect.stringMatching(/\/eu-west-1\/sts\/aws4_request.*x-amz-security-token/),
      "x-amz-security-token": "token",
    });
  });

  it("fails with the message of STS when STS rejects the credentials", async () => {
    await sts(
      403,
      "<ErrorResponse><Error><Code>ExpiredToken</Code><Message>too old</Message></Error></ErrorResponse>",
    );
    await expect(callerIdentity(KEYS, "eu-west-1", never)).rejects.toThrow("ExpiredToken: too old");
  });

  it("is unknown when STS cannot be reached", async () => {
    vi.stubEnv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1");
    expect(await callerIdentity(KEYS, "eu-west-1", never)).toBeUndefined();
  });
});
