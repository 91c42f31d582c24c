// The environment variables of a child.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { childEnvironment } from "../../src/child/process/environment.ts";

const WHOLE = {
  PATH: "/bin",
  HOME: "/home/me",
  LC_ALL: "C",
  TZ: "UTC",
  APP_MODE: "fast",
  APP_: "bare",
  APPLE: "pie",
  AWS_REGION: "eu-west-1",
  AWS_ACCESS_KEY_ID: "AKIA",
  AWS_SECRET_ACCESS_KEY: "secret",
  AWS_SESSION_TOKEN: "token",
  AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: "/v2",
  AWS_ROLE_ARN: "arn",
  KINESIS_MULTILANG_AWS_CREDENTIALS_PROVIDER: "StaticCredentialsProvider|AKIA|secret",
};

describe("the environment of a child", () => {
  it("is the daemon's own when nothing is configured", () => {
    expect(childEnvironment(WHOLE, { passCredentials: true })).toEqual(WHOLE);
  });

  it("contains no credentials when passCredentials is false", () => {
    expect(childEnvironment(WHOLE, { passCredentials: false })).toEqual({
      PATH: "/bin",
      HOME: "/home/me",
      LC_ALL: "C",
      TZ: "UTC",
      APP_MODE: "fast",
      APP_: "bare",
      APPLE: "pie",
      AWS_REGION: "eu-west-1",
      AWS_EC2_METADATA_DISABLED: "true",
    });
  });

  it("contains the named variables, those with a named prefix, and what every program needs", () => {
    const childEnv = ["APP_*", "AWS_REGION"];
    expect(childEnvironment(WHOLE, { childEnv, passCredentials: true })).toEqual({
      PATH: "/bin",
      HOME: "/home/me",
      LC_ALL: "C",
      TZ: "UTC",
      APP_MODE: "fast",
      APP_: "bare",
      AWS_REGION: "eu-west-1",
    });
  });

  it("contains credentials that are named, unless passCredentials is false", () => {
    const childEnv = ["AWS_*", "AWS_PROFILE"];
    expect(childEnvironment(WHOLE, { childEnv, passCredentials: true })).toMatchObject({
      AWS_SECRET_ACCESS_KEY: "secret",
    });
    expect(childEnvironment(WHOLE, { childEnv, passCredentials: false })).toEqual({
      PATH: "/bin",
      HOME: "/home/me",
      LC_ALL: "C",
      TZ: "UTC",
      AWS_REGION: "eu-west-1",
      AWS_EC2_METADATA_DISABLED: "true",
    });
  });

  it("never contains more than the daemon's own, nor other values", () => {
    const names = fc.stringMatching(/^[A-Z_]{1,12}\*?$/);
    fc.assert(
      fc.property(fc.dictionary(names, fc.string()), fc.array(names), (whole, childEnv) => {
        for (const [name, value] of Object.entries(
          childEnvironment(whole, { childEnv, passCredentials: true }),
        )) {
          expect(whole[name]).toBe(value);
        }
      }),
    );
  });
});
