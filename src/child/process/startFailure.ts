// Explains why a program could not be started: the system reports ENOENT for four different
// mistakes.

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
  /** What happened: the end of a sentence whose subject is the child. */
  readonly what: string;
  readonly advice: string;
}

export function diagnose({ file, cwd, path, code }: Attempt): Diagnosis {
  if (!isDirectory(cwd)) {
    return {
      what: `could not be started: its working directory ${cwd} does not exist (${code ?? "ENOENT"})`,
      advice: "Create the directory, or set another one.",
    };
  }
  if (file.includes("/")) return diagnoseFile(resolve(cwd, file), code);
  const places = (path ?? "").split(delimiter).filter((place) => place !== "");
  const found = places.map((place) => join(place, file)).find((place) => existsSync(place));
  if (found !== undefined) return diagnoseFile(found, code);
  return {
    what: `could not be started: there is no program "${file}" (${code ?? "ENOENT"})`,
    advice: `The daemon looked in ${places.join(", ") || "no directory, because PATH is empty"}. Install the program, correct executableName, or write the whole path.`,
  };
}

function diagnoseFile(file: string, code: string | undefined): Diagnosis {
  if (isDirectory(file)) {
    return {
      what: `could not be started: ${file} is a directory`,
      advice: "Set executableName to a program.",
    };
  }
  if (!existsSync(file) && code === "ENOENT") {
    return {
      what: `could not be started: there is no file ${file} (ENOENT)`,
      advice:
        "Correct executableName. A relative path starts from the directory in which the daemon runs.",
    };
  }
  if (code === "ENOENT") {
    return {
      what: `could not be started: ${file} exists, but its interpreter does not (ENOENT)`,
      advice:
        "Check its first line (#!…): install the program that it names, and make sure that the line does not end with a carriage return.",
    };
  }
  if (code === "EACCES") {
    return {
      what: `could not be started: ${file} is not executable (EACCES)`,
      advice: `Run: chmod +x ${file}. Or write its interpreter before it in executableName, as in "python3 ${file}".`,
    };
  }
  return {
    what: `could not be started: ${file} (${code ?? "the system gave no reason"})`,
    advice:
      "If it is a script, name its interpreter in its first line, as in: #!/usr/bin/env python3",
  };
}

function isDirectory(file: string): boolean {
  try {
    return statSync(file).isDirectory();
  } catch {
    return false;
  }
}
