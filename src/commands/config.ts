// `kinesis-multilang config`: prints every setting as it takes effect, its source, and where Java
// would differ; with --explain, what a key means.

import { Command, Option } from "commander";
import { formatProblem, formatSource } from "../config/configError.ts";
import { type EffectiveSetting, effectiveSettings } from "../config/effective.ts";
import { type LoadedSettings, loadSettings } from "../config/loadSettings.ts";
import { UserError } from "../model/errors.ts";

interface ConfigOptions {
  readonly propertiesFile?: string;
  readonly json: boolean;
  readonly explain?: string;
}

export function configCommand(): Command {
  return new Command("config")
    .summary("show every effective setting, or what a key means")
    .description(
      "Prints every setting as it takes effect, where it comes from, and what the Java daemon would do with it where that differs. Secrets are masked.",
    )
    .argument("[file]", "the properties file, if it is not given with -p")
    .option("-p, --properties-file <file>", "the properties file")
    .option("--json", "print JSON", false)
    .addOption(
      new Option("--explain <key>", "print what a property key means, and read no file").conflicts(
        "json",
      ),
    )
    .action(config);
}

async function config(file: string | undefined, options: ConfigOptions): Promise<void> {
  const { propertiesFile = file, json, explain } = options;
  if (explain !== undefined) {
    const { explainKey } = await import("../config/docs/explainKey.ts");
    return console.log(explainKey(explain));
  }
  if (!propertiesFile) {
    throw new UserError(
      "The properties file is missing. Name one: kinesis-multilang config -p FILE",
    );
  }
  const loaded = loadSettings({ file: propertiesFile });
  const settings = effectiveSettings(loaded);
  console.log(json ? asJson(settings, loaded) : asTable(settings, loaded));
}

function asJson(settings: readonly EffectiveSetting[], { warnings }: LoadedSettings): string {
  return JSON.stringify({ settings, notices: warnings }, null, 2);
}

function asTable(settings: readonly EffectiveSetting[], { warnings }: LoadedSettings): string {
  const rows = settings.map(({ key, value, source, follows }) => [
    key,
    shown(value),
    follows === undefined ? formatSource(source) : `from ${follows}`,
  ]);
  const widths = [0, 1].map((column) =>
    Math.min(MAX_WIDTH, Math.max(...rows.map((row) => row[column]?.length ?? 0))),
  );
  const lines = settings.map(({ java }, index) => {
    const cells = (rows[index] ?? []).map((cell, column) => cell.padEnd(widths[column] ?? 0));
    return `${cells.join("  ").trimEnd()}${java === undefined ? "" : `  (Java: ${java})`}`;
  });
  const notices = warnings.map((notice) => `${notice.level}: ${formatProblem(notice)}`);
  return [...lines, ...(notices.length > 0 ? [""] : []), ...notices].join("\n");
}

/** A longer cell moves the rest of its own line to the right, and no other line. */
const MAX_WIDTH = 50;

function shown(value: unknown): string {
  if (value === null) return "-";
  if (Array.isArray(value)) return value.join(",");
  if (typeof value === "object") return JSON.stringify(value);
  return String(value);
}
