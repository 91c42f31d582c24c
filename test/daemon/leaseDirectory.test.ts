// The daemon with its leases in a directory: it needs no DynamoDB, and repeats nothing after a
// crash.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { examine } from "../../src/operator/doctor/doctor.ts";
import { kinesisMultilang } from "../operator/tables.ts";
import { propertiesFile, startDaemon, temporaryFolder } from "../support/daemon.ts";
import { createStream, emulatorEnv, put, until } from "../support/emulators.ts";
import { Journal } from "../support/journal.ts";

/** Eight processes one after the other, on a machine that has other work. */
const SLOW_MS = 240_000;
const SHARD = "shardId-000000000000";
/** Nobody listens there. */
const NO_DYNAMO = "http://127.0.0.1:9";

async function place() {
  const stream = await createStream("directory", 1);
  const journal = await Journal.create();
  const directory = join(await temporaryFolder(), "words");
  const properties = {
    executableName: journal.command("batch"),
    applicationName: "words",
    streamName: stream,
    dynamoDBEndpoint: NO_DYNAMO,
    leaseStore: `file:${directory}`,
  };
  const acknowledged = async () =>
    (await journal.actions(SHARD)).filter((action) => action === "acknowledged").length;
  return {
    directory,
    journal,
    properties,
    start: () => startDaemon({ properties, env: journal.env }),
    async checkpointed(word: string) {
      const before = await acknowledged();
      await put(stream, [word]);
      await until(
        `${word} to be acknowledged`,
        async () => (await acknowledged()) > before,
        SLOW_MS / 4,
      );
    },
  };
}

test("a killed daemon repeats nothing that it has checkpointed, and starts without a wait", {
  timeout: SLOW_MS,
}, async () => {
  const here = await place();
  const first = await here.start();
  await here.checkpointed("one");
  await here.checkpointed("two");
  const second = await here.start();
  expect(await second.ended).toBe(1);
  const refusal = second.otherLines.join("\n");
  expect(refusal).toContain(`The lease directory ${here.directory} is in use`);
  expect(refusal).toContain(`has the id ${first.pid}`);
  first.signal("SIGKILL");
  await first.ended;
  const third = await here.start();
  await here.checkpointed("three");
  expect(await third.stop()).toBe(0);
  expect(await here.journal.words()).toEqual(["one", "two", "three"]);
});

test("a drained daemon leaves the directory to another one", { timeout: SLOW_MS }, async () => {
  const here = await place();
  const first = await here.start();
  await here.checkpointed("one");
  first.signal("SIGUSR2");
  await first.waitFor("drained");
  const second = await here.start();
  await here.checkpointed("two");
  expect(await second.stop()).toBe(0);
  first.signal("SIGUSR2");
  await first.waitFor("resumed");
  await here.checkpointed("three");
  expect(await first.stop()).toBe(0);
  expect(await here.journal.words()).toEqual(["one", "two", "three"]);
});

test("leases, checkpoints, doctor and iam-policy work on the directory", {
  timeout: SLOW_MS,
}, async () => {
  const here = await place();
  const file = await propertiesFile({
    regionName: "us-east-1",
    retrievalMode: "POLLING",
    ...here.properties,
  });
  const run = (...args: readonly string[]) =>
    kinesisMultilang([...args, "-p", file], emulatorEnv());

  const policy = await run("iam-policy");
  expect(policy.stdout).toContain("kinesis:GetRecords");
  expect(`${policy.stdout}${policy.stderr}`).not.toMatch(/dynamodb|table/i);

  expect((await run("leases")).stderr).toContain(`${here.directory} holds no leases`);

  const daemon = await here.start();
  await here.checkpointed("one");
  const leases = JSON.parse((await run("leases", "--json")).stdout);
  expect(leases.leases).toMatchObject([{ shardId: SHARD, state: "active" }]);

  for (const [name, value] of Object.entries(emulatorEnv())) vi.stubEnv(name, value);
  const findings: Record<string, string> = {};
  for await (const each of examine(file, new AbortController().signal)) {
    findings[each.check] = `${each.verdict}: ${each.message}`;
  }
  vi.unstubAllEnvs();
  expect(findings["lease directory"]).toBe(
    `ok: ${here.directory} is in use by a running daemon (process ${daemon.pid})`,
  );
  expect(findings["leases"]).toMatch(/^ok: 1 lease/);
  expect(Object.keys(findings).filter((check) => /dynamodb|\btable/.test(check))).toEqual([]);

  const backup = join(here.journal.folder, "backup.json");
  const reset = ["checkpoints", "reset", "--to", "trim-horizon", "--backup", backup];
  const whileRunning = await run(
    ...reset.slice(0, 4),
    "--backup",
    `${backup}.refused`,
    "--yes",
    "--force",
  );
  expect(whileRunning.exitCode).toBe(1);
  expect(`${whileRunning.stdout}${whileRunning.stderr}`).toMatch(/live|in use/);
  expect(await daemon.stop()).toBe(0);
  expect((await run(...reset, "--yes")).exitCode).toBe(0);
  expect(await readFile(join(here.directory, "leases.ndjson"), "utf8")).toContain("TRIM_HORIZON");

  const again = await here.start();
  await until(
    "the record again",
    async () => (await here.journal.words()).length === 2,
    SLOW_MS / 4,
  );
  expect(await again.stop()).toBe(0);
  expect(await here.journal.words()).toEqual(["one", "one"]);
});
