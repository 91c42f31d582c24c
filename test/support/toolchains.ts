// The languages of the clients on this machine: detects them, runs their commands and builds their
// samples.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import type { TestContext } from "vitest";
import {
  type Command,
  type Language,
  type LanguageSample,
  languageSample,
  type Program,
} from "../../src/local/languages.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Kept between runs, so that compilers can reuse earlier results. */
export const TOOLS_CACHE = join(ROOT, "node_modules", ".cache", "kinesis-multilang");

export interface CommandOptions {
  /** Relative to the repository's root. */
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a command to its end. Throws with its whole output if the exit code is not 0. */
export async function runCommand(
  [program, ...args]: Command,
  options: CommandOptions,
): Promise<string> {
  const result = await execa(program, args, {
    cwd: join(ROOT, options.cwd),
    env: { ...options.env },
    all: true,
    reject: false,
    stdin: "ignore",
  });
  if (result.exitCode !== 0) {
    throw new Error(`${[program, ...args].join(" ")}: ${result.shortMessage}\n${result.all}`);
  }
  return result.all;
}

/**
 * Skips the test and reports why, if the language's tools (or further commands) are not installed.
 */
export async function needLanguage(
  context: TestContext,
  language: Language,
  ...further: readonly Command[]
): Promise<LanguageSample> {
  const sample = languageSample(language, join(TOOLS_CACHE, "samples"));
  for (const [program, ...args] of [...sample.checks, ...further]) {
    const { exitCode } = await execa(program, args, { reject: false, stdin: "ignore" });
    if (exitCode !== 0) {
      const tried = [program, ...args].join(" ");
      context.skip(`${language} is not installed: "${tried}" failed; it needs ${sample.missing}`);
    }
  }
  return sample;
}

/** The command that starts a sample program, after building it if necessary. */
export async function buildSample({ build, executable }: Program): Promise<Command> {
  if (build) {
    await mkdir(join(TOOLS_CACHE, "samples"), { recursive: true });
    const [program, ...args] = build.command;
    await execa(program, args, { cwd: build.cwd, env: build.env, stdin: "ignore" });
  }
  return executable;
}
