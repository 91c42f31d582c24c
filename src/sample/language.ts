// The processors of the language asked for: is it installed, and what has to be built first?

import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { execa } from "execa";
import {
  type Command,
  isLanguage,
  LANGUAGES,
  type LanguageSample,
  languageSample,
} from "../local/languages.ts";
import { UserError } from "../model/errors.ts";

export interface PreparedLanguage {
  readonly propertiesFile: string;
  /** The sample's folder. */
  readonly cwd: string;
  readonly executableName: string;
}

/** A compiler that has not come to an end by then will not. */
const BUILD_LIMIT_MS = 300_000;

/**
 * @param folder of the sample run; what has to be compiled goes there.
 * @throws UserError when the language is unknown, not installed, or its sample does not build.
 */
export async function prepareLanguage(name: string, folder: string): Promise<PreparedLanguage> {
  if (!isLanguage(name)) {
    throw new UserError(`--language ${name} is not known. Allowed: ${LANGUAGES.join(", ")}.`);
  }
  const buildFolder = join(folder, "build");
  await mkdir(buildFolder);
  const sample = languageSample(name, buildFolder);
  await check(name, sample);
  await build(name, sample);
  return {
    propertiesFile: sample.properties,
    cwd: dirname(sample.properties),
    executableName: sample.executable.map(quote).join(" "),
  };
}

async function check(name: string, { checks, missing }: LanguageSample): Promise<void> {
  for (const [program, ...args] of checks) {
    const { failed } = await execa(program, args, { reject: false, stdin: "ignore" });
    if (failed) {
      throw new UserError(
        `The ${name} sample needs ${missing}. Install it, or choose --language node, which needs nothing more.`,
      );
    }
  }
}

async function build(name: string, { build: step }: LanguageSample): Promise<void> {
  if (!step) return;
  const [program, ...args]: Command = step.command;
  const result = await execa(program, args, {
    cwd: step.cwd,
    env: step.env,
    reject: false,
    stdin: "ignore",
    all: true,
    timeout: BUILD_LIMIT_MS,
  });
  if (result.failed) {
    throw new UserError(`The ${name} sample does not build: ${result.command}\n${result.all}`);
  }
}

/** As `executableName` is taken apart: a word with a blank or a quote goes into double quotes. */
function quote(word: string): string {
  return /[ '"]/.test(word) ? `"${word.replaceAll(/["\\]/g, "\\$&")}"` : word;
}
