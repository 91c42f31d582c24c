// The installed program brings all packages that it needs, except the SDK clients that only some
// destinations need.

import { cp } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { expect, it } from "vitest";
import { propertiesFile, temporaryFolder } from "../support/daemon.ts";

const ROOT = join(import.meta.dirname, "../..");

async function installation(): Promise<string> {
  const folder = await temporaryFolder();
  for (const name of ["dist", "package.json"]) {
    await cp(join(ROOT, name), join(folder, name), { recursive: true });
  }
  return join(folder, "dist/main.js");
}

it("a destination whose client is not installed is an error that names the package to install", async () => {
  const main = await installation();
  for (const [destination, name] of [
    ["sqs:https://sqs.eu-west-1.amazonaws.com/123456789012/dead", "@aws-sdk/client-sqs"],
    ["sns:arn:aws:sns:eu-west-1:123456789012:dead", "@aws-sdk/client-sns"],
    ["s3:bucket/prefix", "@aws-sdk/client-s3"],
  ]) {
    const file = await propertiesFile({
      executableName: "cat",
      applicationName: "app",
      streamName: "stream",
      regionName: "eu-west-1",
      onFailureDestination: destination ?? "",
      maximumRetryAttempts: 1,
    });
    const { exitCode, stderr } = await execa(process.execPath, [main, "-p", file], {
      reject: false,
      env: { AWS_ACCESS_KEY_ID: "x", AWS_SECRET_ACCESS_KEY: "x" },
    });
    expect(stderr).toContain(`npm install ${name}`);
    expect(exitCode).toBe(1);
  }
});
