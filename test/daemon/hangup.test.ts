// What the daemon does when its terminal is closed (SIGHUP).

import { readFileSync } from "node:fs";
import { describe, expect, it, test } from "vitest";
import { ignoresHangup } from "../../src/host/hangup.ts";
import { startDaemon } from "../support/daemon.ts";
import { createStream, leaseItems, put, until } from "../support/emulators.ts";
import { Journal } from "../support/journal.ts";

async function startAtWork(under: readonly string[] = [], env: Record<string, string> = {}) {
  const stream = await createStream("hangup", 1);
  const journal = await Journal.create();
  await put(stream, ["first"]);
  const daemon = await startDaemon({
    properties: { executableName: journal.command(), applicationName: stream, streamName: stream },
    env: { ...journal.env, _: "/usr/bin/node", ...env },
    under,
  });
  await until("the first word", async () => (await journal.words()).length === 1);
  const owner = async () => (await leaseItems(stream)).get("shardId-000000000000")?.["leaseOwner"];
  return { daemon, stream, journal, owner };
}

describe("SIGHUP", () => {
  it("stops the daemon gracefully, and a second one has no effect", async () => {
    const { daemon, journal, owner } = await startAtWork();
    daemon.signal("SIGHUP");
    await daemon.waitFor(({ event, reason }) => event === "stopRequested" && reason === "SIGHUP");
    daemon.signal("SIGHUP");
    expect(await daemon.ended).toBe(0);
    expect(await owner()).toBeUndefined();
    const actions = await journal.actions("shardId-000000000000");
    expect(actions.slice(-4)).toEqual(["shutdownRequested", "acknowledged", "leaseLost", "end"]);
  });

  it.each([
    // No shell is between them, so nobody sets the variable `_`.
    ["nohup, started by a shell", ["nohup"], { _: "/usr/bin/nohup" }],
    ["a script that nohup runs", ["nohup", "sh", "-c", '"$@"; exit $?', "sh"], {}],
  ])("is ignored under %s", async (_what, under, env) => {
    const { daemon, stream, journal } = await startAtWork(under, env);
    // Under the script it is the shell's child.
    const children = readFileSync(`/proc/${daemon.pid}/task/${daemon.pid}/children`, "utf8");
    const pid = under.length > 1 ? Number(children.trim()) : daemon.pid;
    process.kill(pid, "SIGHUP");
    await daemon.waitFor(({ message }) => message.startsWith("SIGHUP is ignored"));
    await put(stream, ["second"]);
    await until("the second word", async () => (await journal.words()).length === 2);
    process.kill(pid, "SIGTERM");
    expect(await daemon.ended).toBe(0);
  });
});

const status = (mask: string) => `Name:\tsh\nSigBlk:\t0000000000000000\nSigIgn:\t${mask}\n`;
const nothing = { command: undefined, parentStatus: undefined, stdinInfo: undefined };
const flags = (octal: string) => `pos:\t0\nflags:\t${octal}\nmnt_id:\t24\n`;

test.each([
  [nothing, false],
  [{ ...nothing, command: "/usr/bin/nohup" }, true],
  [{ ...nothing, command: "nohup" }, true],
  [{ ...nothing, command: "/usr/bin/mynohup" }, false],
  [{ ...nothing, parentStatus: status("0000000000000001") }, true],
  [{ ...nothing, parentStatus: status("0000000000001001") }, true],
  [{ ...nothing, parentStatus: status("0000000000001000") }, false],
  [{ ...nothing, stdinInfo: flags("02100001") }, true],
  [{ ...nothing, stdinInfo: flags("02100000") }, false],
  [{ ...nothing, stdinInfo: flags("0100002") }, false],
])("%j: ignored %s", (traces, expected) => {
  expect(ignoresHangup(traces)).toBe(expected);
});
