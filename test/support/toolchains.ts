// The languages of the clients on this machine: which are there, their commands run to the end, their samples built.

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
} from "../../src/local/languages.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Kept between runs, so that compilers find what they already did. */
export const TOOLS_CACHE = join(ROOT, "node_modules", ".cache", "kinesis-multilang");

export interface CommandOptions {
  /** Below the repository's root. */
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a command to its end; throws with all that it printed when that is not exit code 0. */
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

/** Skips the test, saying why, where the language's tools (or the further commands) are not installed. */
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

/** The command that starts a language's word-count sample, built if need be. */
export async function buildSample({ build, executable }: LanguageSample): Promise<Command> {
  if (build) {
    await mkdir(join(TOOLS_CACHE, "samples"), { recursive: true });
    const [program, ...args] = build.command;
    await execa(program, args, { cwd: build.cwd, env: build.env, stdin: "ignore" });
  }
  return executable;
}
