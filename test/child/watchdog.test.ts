// What happens to the children when the daemon is killed and cannot end them itself.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { Watchdog } from "../../src/child/process/watchdog.ts";
import { Events, fixture, isRunning } from "./support.ts";

const HOST = fileURLToPath(new URL("hosts/is-killed.js", import.meta.url));
const GUARDS = fileURLToPath(new URL("hosts/guards.js", import.meta.url));

interface Host {
  readonly process: ChildProcess;
  readonly children: readonly number[];
  readonly grandchildren: readonly number[];
}

/** A separate process with these children. The test ends all of them. */
async function startHost(names: readonly string[]): Promise<Host> {
  const child = spawn(process.execPath, [HOST, ...names.map(fixture)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [children, grandchildren]: [number[], number[]] = [[], []];
  onTestFinished(() => {
    for (const pid of [child.pid, ...children, ...grandchildren]) kill(pid);
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const event = JSON.parse(line);
    if (event.type === "childStarted") children.push(event.pid);
    const grandchild = /^grandchild (\d+)$/.exec(event.line ?? "")?.[1];
    if (grandchild) grandchildren.push(Number(grandchild));
    if (event.type === "ready") break;
  }
  return { process: child, children, grandchildren };
}

function kill(pid: number | undefined, signal: NodeJS.Signals = "SIGKILL"): void {
  // For kill(), numbers up to 0 address several processes.
  if (pid === undefined || pid <= 1) throw new Error("there is no such process");
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended, as expected.
  }
}

const goneSoon = (pids: readonly number[]) =>
  expect.poll(() => pids.filter(isRunning), { timeout: 20_000 }).toEqual([]);

/** The watchdogs of a process: shells that it has started. Linux only. */
function guardsOf({ pid }: ChildProcess): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        const isChild = readFileSync(`/proc/${name}/stat`, "utf8").includes(`) S ${pid} `);
        return (
          isChild && readFileSync(`/proc/${name}/cmdline`, "utf8").includes("multilang-watchdog")
        );
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** The shell needs a moment to read its input. */
function ignoresSigterm(pid: number | undefined): boolean {
  const mask = /SigIgn:\t([0-9a-f]+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return (BigInt(`0x${mask}`) & (1n << 14n)) !== 0n;
}

describe("when the daemon is killed", () => {
  it("no child survives, nor its own children, even if it ignores the end of STDIN and SIGTERM", async () => {
    const names = ["stays-with-grandchild.js", "ignores-the-end.js", "well-behaved.js"];
    const { process: host, children, grandchildren } = await startHost(names);
    expect(children).toHaveLength(3);
    expect(grandchildren).toHaveLength(1);
    expect([...children, ...grandchildren].filter(isRunning)).toHaveLength(4);
    const guards = guardsOf(host);
    expect(guards).toHaveLength(3);
    host.kill("SIGKILL");
    await goneSoon([...children, ...grandchildren, ...guards]);
  });

  it("a suspended child, as by Ctrl-Z, does not survive either", async () => {
    const { process: host, children } = await startHost(["well-behaved.js"]);
    kill(children[0], "SIGSTOP");
    host.kill("SIGKILL");
    await goneSoon(children);
  });

  it("no child survives even if the watchdog was killed before", async () => {
    const { process: host, children } = await startHost(["ignores-the-end.js"]);
    const [guard] = guardsOf(host);
    kill(guard);
    const successor = () => guardsOf(host).filter((pid) => pid !== guard);
    await expect.poll(successor).toHaveLength(1);
    host.kill("SIGKILL");
    await goneSoon(children);
  });

  it("the watchdog survives the signals of a terminal and of a service manager", async () => {
    const { process: host, children } = await startHost(["ignores-the-end.js"]);
    const [guard] = guardsOf(host);
    await expect.poll(() => ignoresSigterm(guard)).toBe(true);
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"] as const) kill(guard, signal);
    host.kill("SIGKILL");
    await goneSoon([...children, guard ?? 0]);
  });
});

describe("the watchdog", () => {
  const options = (events: Events) => ({
    closeGraceMs: 60_000,
    terminateGraceMs: 60_000,
    emit: events.emit,
  });

  it("is one small process, which runs only while there are children", async () => {
    const watchdog = new Watchdog(options(new Events()));
    expect(watchdog.pid).toBeUndefined();
    watchdog.guard(2 ** 22 + 1);
    watchdog.guard(2 ** 22 + 2);
    const { pid = 0 } = watchdog;
    expect(isRunning(pid)).toBe(true);
    const rss = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    expect(Number(rss)).toBeLessThan(4 * 1024);
    watchdog.release(2 ** 22 + 1);
    expect(watchdog.pid).toBe(pid);
    watchdog.release(2 ** 22 + 2);
    expect(watchdog.pid).toBeUndefined();
    await goneSoon([pid]);
  });

  it("ends the groups that it guards, and no released group", async () => {
    const [guarded, released] = [0, 1].map(() =>
      spawn("sleep", ["600"], { detached: true, stdio: "ignore" }),
    );
    if (!guarded?.pid || !released?.pid) throw new Error("sleep did not start");
    onTestFinished(() => {
      for (const each of [guarded, released]) kill(each.pid);
    });
    const ended = once(guarded, "exit");
    spawn(process.execPath, [GUARDS, String(guarded.pid), String(released.pid)]);
    expect(await ended).toEqual([null, "SIGTERM"]);
    expect(isRunning(released.pid)).toBe(true);
  });

  it("that exits is replaced and reported", async () => {
    const events = new Events();
    const watchdog = new Watchdog(options(events));
    watchdog.guard(2 ** 22 + 1);
    kill(watchdog.pid);
    await events.until(() => events.of("watchdogEnded")[0]);
    expect(events.of("watchdogEnded")).toEqual([
      { type: "watchdogEnded", reason: "SIGKILL", replaced: true },
    ]);
    const { pid = 0 } = watchdog;
    expect(isRunning(pid)).toBe(true);
    for (let ends = 1; ends <= 100; ends++) {
      kill(watchdog.pid);
      await events.until(() => events.of("watchdogEnded")[ends]);
    }
    expect(events.of("watchdogEnded").at(-1)).toMatchObject({ replaced: false });
    expect(watchdog.pid).toBeUndefined();
  });
});
