// `kinesis-multilang init`: writes a commented properties file. It never overwrites a file.

import { writeFileSync } from "node:fs";
import { Command, Option } from "commander";
import { loadSettings } from "../config/loadSettings.ts";
import { whyUnreadable } from "../config/references.ts";
import { isLanguage, LANGUAGES, propertiesTemplate } from "../config/template.ts";
import { UserError } from "../model/errors.ts";

interface InitOptions {
  readonly language: string;
  readonly stream: string;
  readonly application: string;
  readonly region?: string;
}

const DEFAULT_FILE = "consumer.properties";

export function initCommand(): Command {
  return new Command("init")
    .summary("write a commented properties file")
    .description(
      "Writes a commented properties file for a processor in the given language. Never overwrites a file.",
    )
    .argument("[file]", "the file to write", DEFAULT_FILE)
    .addOption(
      new Option("--language <name>", "the language of the processor")
        .choices(LANGUAGES)
        .makeOptionMandatory(),
    )
    .option("--stream <name>", "the stream to read", "words")
    .option("--application <name>", "the application's name", "words-consumer")
    .option("--region <name>", "the region of the stream and the lease table")
    .action(init);
}

function init(file: string, { language, stream, application, region }: InitOptions): void {
  if (!isLanguage(language)) throw new UserError(`Allowed languages: ${LANGUAGES.join(", ")}`);
  const names = {
    streamName: stream,
    applicationName: application,
    ...(region !== undefined && { regionName: region }),
  };
  // Invalid names are refused before a file is written.
  loadSettings({ environment: {}, flags: { ...names, executableName: language } });
  write(file, propertiesTemplate({ language, ...names }));
  console.log(
    `Wrote ${file}. Set executableName in it, and then run: kinesis-multilang -p ${file}`,
  );
}

function write(file: string, text: string): void {
  try {
    writeFileSync(file, text, { flag: "wx" });
  } catch (cause) {
    const exists = cause instanceof Error && "code" in cause && cause.code === "EEXIST";
    const why = exists
      ? `${file} exists already and is not overwritten. Name another file, or remove it first.`
      : `Cannot write ${file}: ${whyUnreadable(cause)}`;
    throw new UserError(why, { cause });
  }
}
