// Looks for the child's program before the first lease is taken. (Java finds out when the first record is there.)

import { accessSync, closeSync, constants, openSync, readSync, statSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import type { ChildCommand } from "./childCommand.ts";
import { ConfigError } from "./configError.ts";

export interface ExecutablePlaces {
  /** The value of `PATH`; absent = that of this process. */
  readonly path?: string;
  readonly cwd?: string;
  readonly platform?: NodeJS.Platform;
  /** Windows only: the value of `PATHEXT`. */
  readonly pathExt?: string;
}

type Fitness = "ok" | "missing" | "directory" | "notExecutable";

/**
 * A name with a slash is relative to the working directory, any other is looked up on `PATH`; the same that starting it will do.
 *
 * @returns the file that will be started.
 * @throws ConfigError when there is none, or it may not be executed, or its `#!` names a program that is missing.
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
  return `${path} is not executable: chmod +x it, or write its interpreter in front of it`;
}

function missing(
  file: string,
  candidates: readonly string[],
  { path = ownPath(), cwd = process.cwd() }: ExecutablePlaces,
): string {
  if (!file.includes("/")) return `not found on PATH (${path || "which is empty"})`;
  const base = `the working directory ${cwd}`;
  return `there is no ${candidates[0]}${file.startsWith("/") ? "" : ` (relative to ${base})`}`;
}

/** The kernel's "no such file" for a script with a wrong first line would blame the script itself. */
function checkInterpreter(script: string, places: ExecutablePlaces): string {
  if ((places.platform ?? process.platform) === "win32") return script;
  const line = firstLine(script);
  const [, interpreter, name] = /^#![ \t]*(\S+)[ \t]*(\S+)?/.exec(line) ?? [];
  if (!interpreter) return script;
  if (line.endsWith("\r")) {
    throw refused(script, "its first line ends in CR LF: save it with LF line ends");
  }
  const wanted = /\/env$/.test(interpreter) && name && !name.startsWith("-") ? name : interpreter;
  const found = candidatesFor(wanted, places).some((path) => fitnessOf(path) === "ok");
  if (!found) throw refused(script, `its first line asks for ${wanted}, which is not installed`);
  return script;
}

// Linux reads at most 256 bytes of it.
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
    // Executable but not readable: allowed for a binary.
    return "";
  }
}

function refused(file: string, message: string): ConfigError {
  return new ConfigError([{ key: "executableName", message: `cannot start ${file}: ${message}` }]);
}
