// Arguments in the place of a command or a properties file.

import { execa } from "execa";
import { expect, it } from "vitest";
import { MAIN, propertiesFile } from "../support/daemon.ts";

/** No command gets far enough to read this file. */
const FILE = "any.properties";

async function run(...args: readonly string[]) {
  const { exitCode, stderr } = await execa(process.execPath, [MAIN, ...args], {
    reject: false,
    stdin: "ignore",
  });
  return { exitCode, stderr };
}

it.each([
  [["lease", "-p", FILE], "leases"],
  [["-p", FILE, "doctr"], "doctor"],
  [["lease", "--watch"], "leases"],
  [["checkpoint", "show", "-p", FILE], "checkpoints"],
  [["iam", "-p", FILE], "iam-policy"],
] as const)("%j starts no worker, and %s is suggested", async (args, meant) => {
  const { exitCode, stderr } = await run(...args);
  expect(exitCode).toBe(1);
  expect(stderr).toContain(`; did you mean ${meant}?`);
  expect(stderr).not.toContain("daemonStarted");
});

it("an unknown argument that resembles no command is reported as a missing file", async () => {
  const { exitCode, stderr } = await run("words.properties");
  expect(exitCode).toBe(1);
  expect(stderr).toBe(
    'kinesis-multilang: there is no command and no file "words.properties" (kinesis-multilang --help lists the commands)',
  );
});

it("a file next to -p is ignored, as in Java", async () => {
  const [used, other] = [await propertiesFile({}), await propertiesFile({})];
  const { exitCode, stderr } = await run("-p", used, other);
  expect(exitCode).toBe(1);
  expect(stderr).toContain(`Both -p ${used} and ${other} were given`);
  expect(stderr).toContain("executableName: is missing");
});
