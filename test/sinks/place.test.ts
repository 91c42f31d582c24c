import { describe, expect, it } from "vitest";
import { parseDestination } from "../../src/model/failureDestination.ts";

describe("onFailureDestination", () => {
  it.each([
    ["file:dead.ndjson", { type: "file", path: "dead.ndjson" }],
    ["file:/var/lib/a b.ndjson", { type: "file", path: "/var/lib/a b.ndjson" }],
    [
      "sqs:https://sqs.eu-west-1.amazonaws.com/123456789012/dead",
      {
        type: "sqs",
        queue: {
          url: "https://sqs.eu-west-1.amazonaws.com/123456789012/dead",
          region: "eu-west-1",
        },
      },
    ],
    [
      "sqs:http://127.0.0.1:5000/123456789012/dead",
      { type: "sqs", queue: { url: "http://127.0.0.1:5000/123456789012/dead" } },
    ],
    [
      "sqs:arn:aws:sqs:us-gov-west-1:123456789012:dead.fifo",
      {
        type: "sqs",
        queue: { name: "dead.fifo", accountId: "123456789012", region: "us-gov-west-1" },
      },
    ],
    [
      "sns:arn:aws:sns:eu-west-1:123456789012:dead",
      { type: "sns", topicArn: "arn:aws:sns:eu-west-1:123456789012:dead", region: "eu-west-1" },
    ],
    ["s3:bucket", { type: "s3", bucket: "bucket", prefix: "" }],
    ["s3:bucket/a/b/", { type: "s3", bucket: "bucket", prefix: "a/b" }],
    ["kinesis:dead", { type: "kinesis", stream: { name: "dead" } }],
    [
      "kinesis:arn:aws:kinesis:eu-west-1:123456789012:stream/dead",
      {
        type: "kinesis",
        stream: {
          arn: "arn:aws:kinesis:eu-west-1:123456789012:stream/dead",
          name: "dead",
          region: "eu-west-1",
        },
      },
    ],
  ])("allows %s", (text, expected) => {
    expect(parseDestination(text)).toEqual(expected);
  });

  it.each([
    ["dead.ndjson", "file:PATH, sqs:…"],
    ["file:", "file:PATH"],
    ["ftp://x", "file:PATH"],
    ["sqs:dead", "sqs:https://sqs.REGION"],
    ["sqs:arn:aws:sns:eu-west-1:123456789012:dead", "sqs:arn:aws:sqs:"],
    ["sns:arn:aws:sqs:eu-west-1:123456789012:dead", "sns:arn:aws:sns:"],
    ["s3:Bucket_", "s3:BUCKET or"],
    ["kinesis:a b", "kinesis:STREAM or"],
    ["kinesis:arn:aws:kinesis:eu-west-1:123456789012:dead", "stream/NAME"],
  ])("rejects %s", (text, allowed) => {
    expect(parseDestination(text)).toContain(allowed);
  });
});
