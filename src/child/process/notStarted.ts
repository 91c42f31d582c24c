// Why a program could not be started, in words: the system only says ENOENT for four different mistakes.

import { existsSync, statSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";

export interface Attempt {
  readonly file: string;
  readonly cwd: string;
  readonly path: string | undefined;
  /** The system's code, such as ENOENT. */
  readonly code: string | undefined;
}

export interface Diagnosis {
  /** The end of a sentence whose subject is the child. */
  readonly what: string;
  readonly advice: string;
}

export function diagnose({ file, cwd, path, code }: Attempt): Diagnosis {
  if (!isDirectory(cwd)) {
    return {
      what: `could not be started: its working directory ${cwd} does not exist (${code ?? "ENOENT"})`,
      advice: "Create the directory, or name another.",
    };
  }
  if (file.includes("/")) return diagnoseFile(resolve(cwd, file), code);
  const places = (path ?? "").split(delimiter).filter((place) => place !== "");
  const found = places.map((place) => join(place, file)).find((place) => existsSync(place));
  if (found !== undefined) return diagnoseFile(found, code);
  return {
    what: `could not be started: there is no program "${file}" (${code ?? "ENOENT"})`,
    advice: `Looked in ${places.join(", ") || "nowhere, for PATH is empty"}. Install it, correct executableName, or give the whole path.`,
  };
}

function diagnoseFile(file: string, code: string | undefined): Diagnosis {
  if (isDirectory(file)) {
    return {
      what: `could not be started: ${file} is a directory`,
      advice: "executableName has to name a program.",
    };
  }
  if (!existsSync(file) && code === "ENOENT") {
    return {
      what: `could not be started: there is no file ${file} (ENOENT)`,
      advice:
        "Correct executableName; a relative path starts from the directory that the daemon runs in.",
    };
  }
  if (code === "ENOENT") {
    return {
      what: `could not be started: ${file} exists, but not the interpreter that it asks for (ENOENT)`,
      advice:
        "Look at its first line (#!…): that program has to be installed, and the line must not end with a carriage return.",
    };
  }
  if (code === "EACCES") {
    return {
      what: `could not be started: ${file} may not be executed (EACCES)`,
      advice: `Run: chmod +x ${file} — or put its interpreter before it in executableName, as in "python3 ${file}".`,
    };
  }
  return {
    what: `could not be started: ${file} (${code ?? "no reason given"})`,
    advice:
      "If it is a script, its first line has to name the interpreter, as in: #!/usr/bin/env python3",
  };
}

function isDirectory(file: string): boolean {
  try {
    return statSync(file).isDirectory();
  } catch {
    return false;
  }
}
