import { execa } from "execa";
import { expect, it, onTestFinished } from "vitest";
import { MAIN } from "../support/daemon.ts";
import { uniqueName, until } from "../support/emulators.ts";
import { processesWith } from "../support/processes.ts";

it("local prints settings that work, and leaves nothing behind", async () => {
  const mark = uniqueName("local");
  const running = execa(process.execPath, [MAIN, "local", "--stream", "words", "--shards", "3"], {
    env: { KINESIS_MULTILANG_TEST: mark },
    reject: false,
    stdin: "ignore",
  });
  onTestFinished(() => void running.kill("SIGKILL"));
  let stderr = "";
  running.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  let stdout = "";
  running.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  await until("the services to be up", () => stderr.includes("Ctrl-C"));
  expect(stdout).toMatch(/^#\s+kinesisEndpoint = http:\/\/127\.0\.0\.1:\d+$/m);
  expect(stdout).toMatch(/^#\s+streamName = words$/m);
  expect(stdout).toMatch(/^#\s+retrievalMode = POLLING$/m);

  // What it prints is a script that points any program at it.
  const put = await execa(
    "sh",
    ["-c", `eval "$SETTINGS"; exec "$@"`, "sh", process.execPath, MAIN].concat([
      "put",
      "--stream",
      "words",
      "-w",
      "cat",
      "-w",
      "dog",
    ]),
    {
      env: { SETTINGS: stdout },
      reject: false,
      stdin: "ignore",
    },
  );
  expect(put.exitCode, put.stderr).toBe(0);

  const pids = await processesWith(`KINESIS_MULTILANG_TEST=${mark}`);
  expect(pids.length).toBe(3);
  running.kill("SIGINT");
  expect((await running).exitCode).toBe(0);
  expect(await processesWith(`KINESIS_MULTILANG_TEST=${mark}`)).toEqual([]);
});

it("local reports a port that is in use", async () => {
  const taken = new URL((await import("vitest")).inject("dynamoUrl")).port;
  const ended = await execa(process.execPath, [MAIN, "local", "--dynamodb-port", taken], {
    reject: false,
  });
  expect(ended.exitCode).toBe(1);
  expect(ended.stderr).toMatch(new RegExp(`Port ${taken} .* in use.*--dynamodb-port`));
});
