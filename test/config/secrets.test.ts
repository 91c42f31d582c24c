import { describe, expect, test } from "vitest";
import { maskValue } from "../../src/config/secrets.ts";

describe("what may be printed", () => {
  test.each([
    ["dbPassword", "hunter2", "*****"],
    ["some.apiKey", "hunter2", "*****"],
    ["AWS_SECRET_ACCESS_KEY", "hunter2", "*****"],
    [
      "AwsCredentialsProvider",
      "ProfileCredentialsProvider|prod",
      "ProfileCredentialsProvider|prod",
    ],
    [
      "AwsCredentialsProvider",
      "StsAssumeRoleCredentialsProvider|arn:r|s|externalId=hunter2|endpointRegion=eu-west-1",
      "StsAssumeRoleCredentialsProvider|arn:r|s|externalId=*****|endpointRegion=eu-west-1",
    ],
    [
      "awscredentialsproviderDynamoDB",
      "StaticCredentialsProvider|id|hunter2",
      "StaticCredentialsProvider|*****|*****",
    ],
    ["kinesisCredentialsProvider.class", "X|hunter2", "X|*****"],
    [
      "executableName",
      "run --token hunter2 --password=hunter2 -v",
      "run --token ***** --password=***** -v",
    ],
    ["executableName", "run --password 'hunter 2' -v", "run --password ***** -v"],
    ["executableName", "env API_KEY=hunter2 run", "env API_KEY=***** run"],
    ["executableName", "run tokenizer.py --tokens", "run tokenizer.py --tokens"],
    ["kinesisEndpoint", "https://me:hunter2@host/x", "https://me:*****@host/x"],
    ["streamName", "words", "words"],
    ["password", "", ""],
  ])("%s = %s", (key, value, expected) => {
    expect(maskValue(key, value)).toBe(expected);
  });
});
