// Commands as a person runs them, with what they print kept and their exit code told.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { afterEach, vi } from "vitest";

/** A processor of thirty lines; FAULT in its environment makes it err. */
export const WORD_COUNT = [
  process.execPath,
  fileURLToPath(new URL("../fixtures/processors/wordCount.mjs", import.meta.url)),
] as const;

/** Runs a command that writes by console.log. One at a time. */
export async function runCommand(
  command: Command,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly out: string; readonly exitCode: number }> {
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  try {
    await command.parseAsync(args, { from: "user" });
    const out = log.mock.calls.map(([line]) => String(line)).join("\n");
    return { out, exitCode: Number(process.exitCode ?? 0) };
  } finally {
    process.exitCode = undefined;
    vi.unstubAllEnvs();
    log.mockRestore();
  }
}

const folders: string[] = [];

/** A folder that is gone after the test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "commands-"));
  folders.push(folder);
  return folder;
}

afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});
