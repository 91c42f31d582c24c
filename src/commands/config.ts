// `kinesis-multilang config`: prints every setting of a daemon or a producer as it takes effect,
// its source, and where Java would differ; with --explain, what a key means.

import { Command, Option } from "commander";
import {
  type ConfigNotice,
  formatProblem,
  formatSource,
  type Source,
} from "../config/configError.ts";
import { effectiveSettings } from "../config/effective.ts";
import { loadSettings } from "../config/loadSettings.ts";
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
  const { settings, warnings } = await effective(propertiesFile);
  console.log(
    json ? JSON.stringify({ settings, notices: warnings }, null, 2) : asTable(settings, warnings),
  );
}

interface Shown {
  readonly key: string;
  readonly value: unknown;
  readonly source: Source;
  readonly follows?: string;
  /** What the daemon of Java, or the KPL, does instead. */
  readonly java?: string;
  readonly kpl?: string;
}

async function effective(
  file: string,
): Promise<{ readonly settings: readonly Shown[]; readonly warnings: readonly ConfigNotice[] }> {
  const { isProducerFile } = await import("../config/producer/producerFile.ts");
  if (!isProducerFile(file)) {
    const loaded = loadSettings({ file });
    return { settings: effectiveSettings(loaded), warnings: loaded.warnings };
  }
  const { loadProducer } = await import("../config/producer/loadProducer.ts");
  const { effectiveProducerSettings } = await import("../config/producer/effectiveProducer.ts");
  const loaded = loadProducer({ file });
  return { settings: effectiveProducerSettings(loaded), warnings: loaded.warnings };
}

function asTable(settings: readonly Shown[], warnings: readonly ConfigNotice[]): string {
  const rows = settings.map(({ key, value, source, follows }) => [
    key,
    shown(value),
    follows === undefined ? formatSource(source) : `from ${follows}`,
  ]);
  const widths = [0, 1].map((column) =>
    Math.min(MAX_WIDTH, Math.max(...rows.map((row) => row[column]?.length ?? 0))),
  );
  const lines = settings.map(({ java, kpl }, index) => {
    const cells = (rows[index] ?? []).map((cell, column) => cell.padEnd(widths[column] ?? 0));
    const others = [java && `  (Java: ${java})`, kpl && `  (KPL: ${kpl})`];
    return `${cells.join("  ").trimEnd()}${others.filter(Boolean).join("")}`;
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
