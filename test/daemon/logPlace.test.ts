// Where the daemon writes its log.

import { execa } from "execa";
import { expect, test } from "vitest";
import { MAIN, propertiesFile } from "../support/daemon.ts";

test.each([
  [false, "stderr", "stdout"],
  [true, "stdout", "stderr"],
] as const)("with logToStdout = %s the log goes to %s", async (logToStdout, place, other) => {
  const file = await propertiesFile({
    executableName: "/nowhere/at/all",
    applicationName: "words",
    streamName: "words",
    regionName: "us-east-1",
    logToStdout,
  });
  const ended = await execa(process.execPath, [MAIN, "-p", file], { reject: false });
  expect(ended.exitCode).toBe(1);
  expect(ended[place]).toContain('"event":"daemonFailed"');
  expect(ended[other]).not.toContain('"event"');
  // The reason of the end is for whoever started the daemon, and no log line.
  expect(ended.stderr).toContain("kinesis-multilang: ");
});
