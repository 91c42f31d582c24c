// The pages of the repository as the tests of docs see them.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

export const ROOT = join(import.meta.dirname, "..", "..");

export interface Page {
  readonly path: string;
  readonly text: string;
}

export interface Block {
  readonly path: string;
  readonly language: string;
  readonly body: string;
}

const tracked = execFileSync("git", ["ls-files", "*.md"], { cwd: ROOT, encoding: "utf8" });

export const allPages: readonly Page[] = tracked.trim().split("\n").map(readPage);

/** What users and contributors read. */
export const userPages = allPages.filter(({ path }) =>
  /^(README|CONTRIBUTING|docs\/[^/]+)\.md$/.test(path),
);

export function readPage(path: string): Page {
  return { path, text: readFileSync(join(ROOT, path), "utf8") };
}

export function blocksOf({ path, text }: Page, language: string): Block[] {
  return [...text.matchAll(/^ *```(\w*)\n([\s\S]*?)^ *```$/gm)].flatMap(
    ([, name = "", body = ""]) => (name === language ? [{ path, language: name, body }] : []),
  );
}

/** The page without fenced blocks and comments. */
export function proseOf({ text }: Page): string {
  return text.replace(/^ *```[\s\S]*?^ *```$/gm, "").replace(/<!--[\s\S]*?-->/g, "");
}
