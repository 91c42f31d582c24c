// The package as `npm pack` makes it, run by npx from a directory that has nothing to do with it.

import { mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import { VERSION } from "../../src/package.ts";
import { temporaryFolder } from "../support/daemon.ts";
import { needLanguage } from "../support/toolchains.ts";

const ROOT = join(import.meta.dirname, "../..");
const LIMIT_MS = 240_000;

/** A packed package in a new directory, with a cache of npx's own. */
async function pack() {
  const folder = await temporaryFolder();
  const elsewhere = await temporaryFolder();
  const options = ["--ignore-scripts", "--silent", "--pack-destination", folder];
  const { stdout } = await execa("npm", ["pack", ...options], { cwd: ROOT });
  const tarball = join(folder, stdout.trim());
  /** The package has no dependencies, so nothing is asked for on the network. */
  const npx = (args: readonly string[]) =>
    execa(
      "npx",
      [
        "--yes",
        "--offline",
        `--cache=${join(folder, "cache")}`,
        `--package=${tarball}`,
        "--",
      ].concat("kinesis-multilang", args),
      { cwd: elsewhere, reject: false, stdin: "ignore" },
    );
  return { npx, elsewhere };
}

describe("npx, from any directory", () => {
  it(
    "runs the program, and names one command that brings the embedded services",
    async () => {
      const { npx } = await pack();
      expect((await npx(["--version"])).stdout).toBe(VERSION);
      const { exitCode, stderr } = await npx(["sample", "--seconds", "1"]);
      expect(exitCode).toBe(1);
      expect(stderr).toContain(
        "npx --package kinesis-multilang --package kinesis-local --package dynalite -- kinesis-multilang sample --seconds 1",
      );
    },
    LIMIT_MS,
  );

  it(
    "runs the sample with the services that are installed there",
    async (context) => {
      await needLanguage(context, "python");
      const { npx, elsewhere } = await pack();
      await mkdir(join(elsewhere, "node_modules"));
      for (const name of ["kinesis-local", "dynalite"]) {
        await symlink(join(ROOT, "node_modules", name), join(elsewhere, "node_modules", name));
      }
      const { exitCode, stdout, stderr } = await npx(["sample", "--seconds", "1"]);
      expect([exitCode, stderr]).toEqual([0, ""]);
      expect(stdout).toContain("Every word was counted once.");
    },
    LIMIT_MS,
  );
});
