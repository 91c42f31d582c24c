// Destinations that accept a request and do not respond, or respond only in part.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, it, onTestFinished } from "vitest";
import { openDestination } from "../../src/sinks/openDestination.ts";
import { letters, never } from "../sinks/letters.ts";

const before = { ...process.env };
afterEach(() => {
  process.env = { ...before };
});

const SERVICES = [
  ["SQS", "sqs:https://sqs.us-east-1.amazonaws.com/123456789012/dead"],
  ["SNS", "sns:arn:aws:sns:us-east-1:123456789012:dead"],
  ["S3", "s3:dead"],
  ["Kinesis", "kinesis:dead"],
] as const;

it.each(
  SERVICES.flatMap(([service, to]) => [
    [service, to, "no"] as const,
    [service, to, "half an"] as const,
  ]),
)(
  "%s, %s: %s response fails at the time limit, so that the shard can retry",
  async (service, to, answer) => {
    const server = createServer((_, response) => {
      if (answer === "no") return;
      response.writeHead(200, { "content-length": "1000" });
      response.write("{");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    Object.assign(process.env, {
      AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
      AWS_ACCESS_KEY_ID: "local",
      AWS_SECRET_ACCESS_KEY: "local",
    });
    const reach = { region: "us-east-1", credentials: [{ type: "default" }] } as const;
    const services = { kinesis: reach, dynamodb: reach, cloudwatch: reach };
    const destination = await openDestination(to, {
      settings: { services },
      emit: () => {},
      limitMs: 200,
    });
    onTestFinished(() => {
      destination.close();
      server.closeAllConnections();
      server.close();
    });
    await expect(destination.send(letters(2), never)).rejects.toThrow(
      `${service} did not respond to the request to store dead letters within 200 ms`,
    );
  },
);
