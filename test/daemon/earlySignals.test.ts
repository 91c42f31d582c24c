// Signals that reach the daemon while its program is still being loaded.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { runDaemon, startDaemon, temporaryFolder } from "../support/daemon.ts";
import { createStream, put, until } from "../support/emulators.ts";
import { Journal } from "../support/journal.ts";

/** Node's hooks for modules: sends a signal when the first file after dist/main.js is loaded. */
const hooks = (signal: NodeJS.Signals) => `
let isSent = false;
export async function load(url, context, next) {
  if (/\\/dist\\/(?!main\\.js$)/.test(url) && !isSent) {
    isSent = true;
    process.kill(process.pid, ${JSON.stringify(signal)});
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return next(url, context);
}`;

async function whileLoading(signal: NodeJS.Signals): Promise<Record<string, string>> {
  const folder = await temporaryFolder();
  const file = join(folder, "register.mjs");
  const url = `data:text/javascript,${encodeURIComponent(hooks(signal))}`;
  await writeFile(
    file,
    `import { register } from "node:module"; register(${JSON.stringify(url)});`,
  );
  return { NODE_OPTIONS: `--import=${pathToFileURL(file)}` };
}

async function working() {
  const stream = await createStream("early", 1);
  const journal = await Journal.create();
  await put(stream, ["word"]);
  const properties = {
    executableName: journal.command(),
    applicationName: stream,
    streamName: stream,
  };
  const received = () => until("the word", async () => (await journal.words()).length === 1);
  return { properties, journal, received };
}

describe("a signal while the program is loaded", () => {
  it("SIGUSR2 drains the daemon, and the next one lets it work", async () => {
    const { properties, journal, received } = await working();
    const env = { ...journal.env, ...(await whileLoading("SIGUSR2")) };
    const daemon = await startDaemon({ properties, env });
    await daemon.waitFor("drained");
    expect(await journal.words()).toEqual([]);
    daemon.signal("SIGUSR2");
    await received();
    expect(await daemon.stop()).toBe(0);
  });

  it.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)(
    "%s stops the daemon in order",
    async (signal) => {
      const { properties, journal } = await working();
      const env = { ...journal.env, _: process.execPath, ...(await whileLoading(signal)) };
      const daemon = await startDaemon({ properties, env });
      expect(await daemon.ended).toBe(0);
      expect(daemon.events.map(({ event }) => event)).toContain("stopRequested");
      expect(await journal.words()).toEqual([]);
    },
  );

  it("SIGTERM still ends another command", async () => {
    const daemon = await runDaemon(["put", "--help"], { env: await whileLoading("SIGTERM") });
    expect(await daemon.ended).toBe("SIGTERM");
  });
});
