// Looks for the child's program before the worker takes its first lease. (Java notices that it is
// missing when it starts the first child.)

import { accessSync, closeSync, constants, openSync, readSync, statSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import type { ChildCommand } from "./childCommand.ts";
import { ConfigError } from "./configError.ts";

export interface ExecutablePlaces {
  /** The value of `PATH`; that of this process when absent. */
  readonly path?: string;
  readonly cwd?: string;
  readonly platform?: NodeJS.Platform;
  /** Windows only: the value of `PATHEXT`. */
  readonly pathExt?: string;
}

type Fitness = "ok" | "missing" | "directory" | "notExecutable";

/**
 * A name with a slash is relative to the working directory; any other name is looked up on `PATH`,
 * as it will be when the child is started.
 *
 * @returns the file that will be started.
 * @throws ConfigError when the file does not exist or is not executable, or when its `#!` line
 * names
 *   a program that is missing.
 */
export function checkExecutable(command: ChildCommand, places: ExecutablePlaces = {}): string {
  const { file } = command;
  const candidates = candidatesFor(file, places);
  let closest: { readonly path: string; readonly fitness: Fitness } | undefined;
  for (const path of candidates) {
    const fitness = fitnessOf(path, places.platform);
    if (fitness === "ok") return checkInterpreter(path, places);
    if (fitness !== "missing") closest ??= { path, fitness };
  }
  throw refused(file, closest ? unfit(closest) : missing(file, candidates, places));
}

function candidatesFor(file: string, places: ExecutablePlaces): string[] {
  const { path = ownPath(), cwd = process.cwd(), platform = process.platform } = places;
  const windows = platform === "win32";
  const bare = !file.includes("/") && !(windows && file.includes("\\"));
  // An empty part of PATH means the working directory.
  const folders = bare ? path.split(delimiter).map((folder) => folder || ".") : ["."];
  const endings = windows ? ["", ...(places.pathExt ?? ".COM;.EXE;.BAT;.CMD").split(";")] : [""];
  return folders.flatMap((folder) =>
    endings.map(
      (ending) => (bare ? join(resolve(cwd, folder), file) : resolve(cwd, file)) + ending,
    ),
  );
}

function ownPath(): string {
  const { PATH = "" } = process.env;
  return PATH;
}

function fitnessOf(path: string, platform: NodeJS.Platform = process.platform): Fitness {
  try {
    if (statSync(path).isDirectory()) return "directory";
  } catch {
    return "missing";
  }
  try {
    accessSync(path, platform === "win32" ? constants.F_OK : constants.X_OK);
    return "ok";
  } catch {
    return "notExecutable";
  }
}

function unfit({ path, fitness }: { readonly path: string; readonly fitness: Fitness }): string {
  if (fitness === "directory") return `${path} is a directory`;
  return `${path} is not executable: run chmod +x on it, or write its interpreter before it`;
}

function missing(
  file: string,
  candidates: readonly string[],
  { path = ownPath(), cwd = process.cwd() }: ExecutablePlaces,
): string {
  if (!file.includes("/")) return `not found on PATH (${path || "PATH is empty"})`;
  const base = `the working directory ${cwd}`;
  return `${candidates[0]} does not exist${file.startsWith("/") ? "" : ` (relative to ${base})`}`;
}

/** For a script whose interpreter is missing, the kernel's "no such file" would name the script. */
function checkInterpreter(script: string, places: ExecutablePlaces): string {
  if ((places.platform ?? process.platform) === "win32") return script;
  const line = firstLine(script);
  const [, interpreter, name] = /^#![ \t]*(\S+)[ \t]*(\S+)?/.exec(line) ?? [];
  if (!interpreter) return script;
  if (line.endsWith("\r")) {
    throw refused(script, "its first line ends with CR LF: save it with LF line endings");
  }
  const wanted = /\/env$/.test(interpreter) && name && !name.startsWith("-") ? name : interpreter;
  const found = candidatesFor(wanted, places).some((path) => fitnessOf(path) === "ok");
  if (!found) throw refused(script, `its first line names ${wanted}, which is not installed`);
  return script;
}

// Linux reads at most 256 bytes of the first line.
const MAX_FIRST_LINE_BYTES = 256;

function firstLine(path: string): string {
  const buffer = Buffer.alloc(MAX_FIRST_LINE_BYTES);
  try {
    const descriptor = openSync(path, "r");
    try {
      const length = readSync(descriptor, buffer, 0, buffer.length, 0);
      return buffer.toString("latin1", 0, length).split("\n", 1)[0] ?? "";
    } finally {
      closeSync(descriptor);
    }
  } catch {
    // A binary may be executable and yet not readable.
    return "";
  }
}

function refused(file: string, message: string): ConfigError {
  return new ConfigError([{ key: "executableName", message: `cannot start ${file}: ${message}` }]);
}
