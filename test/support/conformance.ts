// Plays every transcript for clients to a processor.

import { expect } from "vitest";
import type { Command } from "../../src/local/languages.ts";
import type { DialectName } from "../../src/model/dialect.ts";
import { clientTranscripts } from "../../src/transcript/library.ts";
import { playClient } from "../../src/transcript/playClient.ts";

/** Long enough for an interpreter to start on a busy machine. */
const STEP_LIMIT_MS = 40_000;

/**
 * Plays all transcripts. `excepted` names those that this client is known to fail; it must fail
 * them.
 */
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
