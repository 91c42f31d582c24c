import { describe, expect, test } from "vitest";
import { parseCredentialsProviders } from "../../src/config/credentialsProvider.ts";

const ROLE = { type: "assumeRole", roleArn: "arn:r", roleSessionName: "s" };

describe("the grammar of Java's providers", () => {
  test.each([
    ["DefaultCredentialsProvider", [{ type: "default" }]],
    ["EnvironmentVariableCredentialsProvider", [{ type: "environment" }]],
    ["ProfileCredentialsProvider", [{ type: "profile" }]],
    ["ProfileCredentialsProvider|prof", [{ type: "profile", profileName: "prof" }]],
    ["InstanceProfileCredentialsProvider", [{ type: "instanceProfile" }]],
    ["ContainerCredentialsProvider", [{ type: "container" }]],
    ["WebIdentityTokenFileCredentialsProvider", [{ type: "webIdentity" }]],
    ["AnonymousCredentialsProvider", [{ type: "anonymous" }]],
    [
      " EnvironmentVariableCredentialsProvider , , ProfileCredentialsProvider|p ,",
      [{ type: "environment" }, { type: "profile", profileName: "p" }],
    ],
    ["software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider", [{ type: "default" }]],
    ["StsAssumeRoleCredentialsProvider|arn:r|s", [ROLE]],
    ["KclStsAssumeRoleCredentialsProvider|arn:r|s", [ROLE]],
    ["software.amazon.kinesis.multilang.auth.KclStsAssumeRoleCredentialsProvider|arn:r|s", [ROLE]],
    ["software.amazon.awssdk.services.sts.auth.StsAssumeRoleCredentialsProvider|arn:r|s", [ROLE]],
    [
      "StsAssumeRoleCredentialsProvider|arn:r|s|externalId=x|endpointRegion=eu-west-1|externalId=y",
      [{ ...ROLE, externalId: "y", region: "eu-west-1" }],
    ],
    [
      "StsAssumeRoleCredentialsProvider|arn:r|s|endpoint=sts.eu-west-1.amazonaws.com^eu-west-1",
      [{ ...ROLE, endpoint: "https://sts.eu-west-1.amazonaws.com", region: "eu-west-1" }],
    ],
    [
      "StsAssumeRoleCredentialsProvider|arn:r|s|endpoint=http://127.0.0.1:4566^local",
      [{ ...ROLE, endpoint: "http://127.0.0.1:4566", region: "local" }],
    ],
  ])("%s", (text, providers) => {
    expect(parseCredentialsProviders(text)).toEqual({ providers, problems: [], warnings: [] });
  });

  test.each([
    ["Nonsense", "unknown credentials provider Nonsense; known: DefaultCredentialsProvider,"],
    [
      "StaticCredentialsProvider|id|secret",
      "unknown credentials provider StaticCredentialsProvider; known",
    ],
    ["SystemPropertyCredentialsProvider", "the credentials provider SystemProperty"],
    [
      "ClasspathPropertiesFileCredentialsProvider|a",
      "unknown credentials provider ClasspathPropertiesFile",
    ],
    ["StsAssumeRoleCredentialsProvider|arn:r", "needs a role and a session name"],
    ["StsAssumeRoleCredentialsProvider|arn:r|s|endpoint=x", "SERVICE_ENDPOINT^SIGNING_REGION"],
    ["StsAssumeRoleCredentialsProvider|arn:r|s|endpoint=a^b^c", "SERVICE_ENDPOINT^SIGNING_REGION"],
    ["ProfileCredentialsProvider|a|b", "takes one argument"],
    ["constructor", "unknown credentials provider constructor"],
  ])("%s cannot be built: a problem", (text, message) => {
    const { providers, problems } = parseCredentialsProviders(text);
    expect(providers).toEqual([]);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(message);
  });

  test.each([
    ["Nonsense,DefaultCredentialsProvider", "unknown credentials provider Nonsense"],
    ["DefaultCredentialsProvider|x", "takes no arguments; they are ignored"],
    ["com.amazonaws.auth.DefaultAWSCredentialsProviderChain", "is a name from SDK v1"],
    ["StsAssumeRoleCredentialsProvider|arn:r|s|color=red", "unknown argument color is ignored"],
    [
      "StsAssumeRoleCredentialsProvider|arn:r|s|externalId=a=b",
      "an argument that does not have the form key=value",
    ],
    [
      "StsAssumeRoleCredentialsProvider|arn:r|s|word",
      "an argument that does not have the form key=value",
    ],
  ])("%s: a warning, because Java starts with it", (text, message) => {
    const { providers, problems, warnings } = parseCredentialsProviders(text);
    expect(providers).toHaveLength(1);
    expect(problems).toEqual([]);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(message);
  });

  test.each([
    ["DefaultAWSCredentialsProviderChain", "auth.", [{ type: "default" }]],
    ["EnvironmentVariableCredentialsProvider", "auth.", [{ type: "environment" }]],
    ["ProfileCredentialsProvider|p", "auth.profile.", [{ type: "profile", profileName: "p" }]],
    ["InstanceProfileCredentialsProvider", "auth.", [{ type: "instanceProfile" }]],
    ["ContainerCredentialsProvider", "auth.", [{ type: "container" }]],
    ["EC2ContainerCredentialsProviderWrapper", "auth.", [{ type: "containerOrInstance" }]],
    ["WebIdentityTokenCredentialsProvider", "auth.", [{ type: "webIdentity" }]],
    ["STSAssumeRoleSessionCredentialsProvider|arn:r|s", "auth.", [ROLE]],
    [
      "KclSTSAssumeRoleSessionCredentialsProvider|arn:r|s|externalId=x",
      "services.kinesis.multilang.auth.",
      [{ ...ROLE, externalId: "x" }],
    ],
  ])("%s of SDK v1, bare and with its package", (text, folder, providers) => {
    const full = parseCredentialsProviders(`com.amazonaws.${folder}${text}`);
    expect(full).toMatchObject({ providers, problems: [] });
    expect(full.warnings).toEqual([expect.stringContaining("is a name from SDK v1; ")]);
    expect(parseCredentialsProviders(text)).toMatchObject({ providers, problems: [] });
  });

  test("a name of KCL 2.x with its old package", () => {
    const name =
      "software.amazon.kinesis.multilang.auth.KclSTSAssumeRoleSessionCredentialsProvider";
    const { providers, warnings } = parseCredentialsProviders(`${name}|arn:r|s`);
    expect(providers).toEqual([ROLE]);
    expect(warnings).toEqual([
      `${name} is a name from SDK v1; KclStsAssumeRoleCredentialsProvider is used`,
    ]);
  });

  test.each([
    "SystemPropertyCredentialsProvider",
    "SystemPropertiesCredentialsProvider",
    "com.amazonaws.auth.SystemPropertiesCredentialsProvider",
    "software.amazon.awssdk.auth.credentials.SystemPropertyCredentialsProvider",
  ])("%s: it needs a Java virtual machine", (text) => {
    const { problems } = parseCredentialsProviders(text);
    expect(problems).toEqual([
      expect.stringMatching(/Java virtual machine.*EnvironmentVariableCredentialsProvider/),
    ]);
  });

  test("an empty list is a problem", () => {
    expect(parseCredentialsProviders(",").problems).toHaveLength(1);
  });
});
