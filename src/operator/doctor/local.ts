// Checks that need no service: the properties file, and the program that it names.

import { ConfigError, type ConfigNotice, formatProblem } from "../../config/configError.ts";
import { checkExecutable } from "../../config/executable.ts";
import { type LoadedSettings, loadSettings } from "../../config/loadSettings.ts";
import type { Settings } from "../../config/settings.ts";
import { counted } from "../../plural.ts";
import { type Finding, failed, ok, warning } from "./finding.ts";

export function checkProperties(file: string): {
  readonly finding: Finding;
  readonly loaded?: LoadedSettings;
} {
  return loadedOr(() => {
    const loaded = loadSettings({ file });
    const { settings, given, warnings } = loaded;
    const summary = `${file}: ${counted(given.size, "setting")}; application ${settings.applicationName}, stream ${settings.streamName}, ${readingOf(settings)}`;
    return { finding: judged(summary, warnings), loaded };
  });
}

/** The finding of a file that cannot be used. */
export function loadedOr<Loaded>(load: () => Loaded): Loaded | { readonly finding: Finding } {
  try {
    return load();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const problems = [...error.problems, ...error.warnings].map(formatProblem).join("\n");
    return {
      finding: failed(
        "properties",
        problems,
        "Correct the properties file. config -p FILE shows which settings take effect.",
      ),
    };
  }
}

export function judged(summary: string, warnings: readonly ConfigNotice[]): Finding {
  const serious = warnings.filter(({ level }) => level === "warning");
  if (serious.length === 0) return ok("properties", summary);
  const details = serious.map(formatProblem).join("\n");
  return warning(
    "properties",
    `${summary}\n${details}`,
    "config -p FILE shows which settings take effect.",
  );
}

function readingOf({ retrieval, initialPosition }: Settings): string {
  const how = {
    POLLING: "polling",
    FANOUT: "enhanced fan-out",
    AUTO: "enhanced fan-out, else polling",
  };
  return `${how[retrieval]}, from ${initialPosition.type}`;
}

export function checkChildProgram({ command }: Settings): Finding {
  try {
    return ok("executable", `${[checkExecutable(command), ...command.args].join(" ")}`);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const [problem] = error.problems;
    return failed(
      "executable",
      problem?.message ?? error.message,
      "Correct executableName, or start the daemon in another directory. A name with a slash is relative to the working directory; any other name is searched for on PATH.",
    );
  }
}
