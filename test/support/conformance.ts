// A processor against every transcript for clients.

import { expect } from "vitest";
import type { Command } from "../../src/local/languages.ts";
import type { DialectName } from "../../src/model/dialect.ts";
import { clientTranscripts } from "../../src/transcript/library.ts";
import { playClient } from "../../src/transcript/playClient.ts";

/** Long enough for an interpreter that starts while the whole machine is busy. */
const STEP_LIMIT_MS = 40_000;

/** Plays all transcripts; `excepted` names those that this client is known not to pass, and must not pass. */
export async function expectConformance(
  command: Command,
  env: Readonly<Record<string, string>> = {},
  excepted: readonly string[] = [],
  dialect: DialectName = "kcl2",
): Promise<void> {
  const transcripts = await clientTranscripts(dialect);
  expect(transcripts.length).toBeGreaterThan(30);
  const faults: Record<string, unknown> = {};
  for (const transcript of transcripts) {
    const verdict = await playClient(transcript, {
      argv: command,
      dialect,
      env: { ...process.env, ...env },
      stepLimitMs: STEP_LIMIT_MS,
    });
    if (verdict.outcome === "failed") faults[transcript.name] = verdict;
  }
  const names = Object.keys(faults);
  expect(names, JSON.stringify(faults, null, 2)).toEqual(excepted);
}
