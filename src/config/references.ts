// Resolves `${env:NAME}` and `${file:PATH}` in values, so that secrets need not be in the file.
// Java does not have this. `$${env:NAME}` stands for the text itself; every other `$` is literal.

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { isSecretName } from "./secrets.ts";

export interface ReferencePlaces {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The folder of the properties file, in which relative paths begin. */
  readonly folder: string;
}

export interface Resolved {
  readonly text: string;
  /** Part of the value came from a variable or file whose name suggests a secret. */
  readonly secret: boolean;
  readonly problems: readonly string[];
}

// The file contains one value; a longer file is a mistake.
const MAX_FILE_BYTES = 64 * 1024;

export function resolveReferences(value: string, places: ReferencePlaces): Resolved {
  const problems: string[] = [];
  let secret = false;
  const text = value.replace(
    /(\$?)\$\{(env|file):([^}]*)\}/g,
    (whole, escaped: string, kind: string, name: string) => {
      if (escaped) return whole.slice(1);
      if (isSecretName(name)) secret = true;
      const found = kind === "env" ? fromEnvironment(name, places) : fromFile(name, places);
      if ("problem" in found) problems.push(found.problem);
      return "text" in found ? found.text : whole;
    },
  );
  return { text, secret, problems };
}

type Lookup = { readonly text: string } | { readonly problem: string };

function fromEnvironment(name: string, { environment }: ReferencePlaces): Lookup {
  const text = environment[name];
  if (text !== undefined) return { text };
  return { problem: `\${env:${name}}: the environment variable ${name} does not exist` };
}

function fromFile(path: string, { folder }: ReferencePlaces): Lookup {
  const full = resolve(folder, path);
  try {
    const bytes = readFileSync(full);
    if (bytes.length > MAX_FILE_BYTES) {
      return { problem: `\${file:${path}}: ${full} is larger than ${MAX_FILE_BYTES} bytes` };
    }
    return { text: bytes.toString("utf8").replace(/\r?\n$/, "") };
  } catch (error) {
    return { problem: `\${file:${path}}: cannot read ${full} (${whyUnreadable(error)})` };
  }
}

/** A file system error as a phrase for a message. */
export function whyUnreadable(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return "no such file";
    case "EISDIR":
      return "it is a directory";
    case "EACCES":
    case "EPERM":
      return "no permission to read it";
    default:
      return error instanceof Error ? error.message : String(error);
  }
}
