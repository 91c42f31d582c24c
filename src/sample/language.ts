// Prepares the processors of a language: checks that it is installed, and builds its sample.

import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { commandText } from "../config/childCommand.ts";
import {
  type Command,
  isLanguage,
  LANGUAGES,
  type LanguageSample,
  languageSample,
  type Program,
} from "../local/languages.ts";
import { UserError } from "../model/errors.ts";

export interface PreparedLanguage {
  readonly propertiesFile: string;
  /** The sample's folder. */
  readonly cwd: string;
  readonly executableName: string;
  /** Puts the words; with `--produce`. */
  readonly producer?: Command;
}

/** Longer than any of the samples takes to compile. */
const BUILD_LIMIT_MS = 300_000;

/**
 * @param folder the folder of this run, which receives what is compiled.
 * @throws UserError when the language is unknown, not installed, has no producer although one is
 *   wanted, or its sample does not build.
 */
export async function prepareLanguage(
  { language: name, produce }: { readonly language: string; readonly produce: boolean },
  folder: string,
): Promise<PreparedLanguage> {
  if (!isLanguage(name)) {
    throw new UserError(`--language ${name} is unknown. Allowed: ${LANGUAGES.join(", ")}.`);
  }
  const buildFolder = join(folder, "build");
  await mkdir(buildFolder);
  const sample = languageSample(name, buildFolder);
  const { producer } = sample;
  if (produce && !producer) {
    const able = LANGUAGES.filter((each) => languageSample(each, buildFolder).producer);
    throw new UserError(
      `The ${name} client has no producer. Allowed with --produce: ${able.join(", ")}.`,
    );
  }
  await check(name, sample);
  await build(name, sample);
  if (produce && producer) await build(name, producer);
  return {
    propertiesFile: sample.properties,
    cwd: dirname(sample.properties),
    executableName: commandText(sample.executable),
    ...(produce && producer && { producer: producer.executable }),
  };
}

async function check(name: string, { checks, missing }: LanguageSample): Promise<void> {
  for (const [program, ...args] of checks) {
    const { failed } = await execa(program, args, { reject: false, stdin: "ignore" });
    if (failed) {
      throw new UserError(
        `The ${name} sample needs ${missing}. Install it, or choose --language node, which needs nothing else.`,
      );
    }
  }
}

async function build(name: string, { build: step }: Program): Promise<void> {
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
    throw new UserError(`The ${name} sample cannot be built: ${result.command}\n${result.all}`);
  }
}
