// Each example on the pages prints what the page shows. `npm run docs` writes it again.

import { execFile } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ROOT, userPages } from "./pages.ts";

const LIMIT_MS = 600_000;
const pages = userPages.filter(({ text }) => /^<!-- run\b/m.test(text)).map(({ path }) => path);

it("are on these pages", () => expect(pages).toContain("README.md"));

it.each(pages)(
  "%s shows what its examples print (npm run docs writes it)",
  { timeout: LIMIT_MS },
  async (page) => {
    const difference = await new Promise<string>((resolve) => {
      const args = [join(ROOT, "docs", "examples.mjs"), "--check", page];
      execFile(process.execPath, args, (error, _, stderr) => resolve(error ? stderr : ""));
    });
    expect(difference).toBe("");
  },
);
