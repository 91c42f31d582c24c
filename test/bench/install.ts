// The size of a production install: packed as for the registry, then installed without development
// dependencies.

import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Daemon } from "./daemons.ts";
import { ROOT } from "./paths.ts";
import { runToEnd } from "./processes.ts";
import type { Case, Figures } from "./series.ts";
import type { Column } from "./table.ts";
import { JAVA_DAEMON, mavenLibrary, sizeOf } from "./tools.ts";

export const INSTALL_COLUMNS: readonly Column[] = [
  { figure: "packages", title: "Packages", digits: 0, better: "less" },
  { figure: "files", title: "Files", digits: 0 },
  { figure: "megabytes", title: "MB", digits: 1, better: "less" },
  { figure: "ownKilobytes", title: "of it the package itself, kB packed", digits: 0 },
];

/** The packed size of ours on the registry. The Java daemon consists of jars, without the JVM. */
export function installCases(): readonly Case[] {
  return [{ labels: {}, measure: (daemon) => measure(daemon) }];
}

async function measure(daemon: Daemon): Promise<Figures> {
  if (daemon.label.startsWith("Java")) {
    const { files, bytes } = sizeOf(await mavenLibrary(JAVA_DAEMON));
    return { packages: files, files, megabytes: bytes / 1e6 };
  }
  const folder = mkdtempSync(join(tmpdir(), "kinesis-multilang-install-"));
  try {
    const packed = await runToEnd(["npm", "pack", "--silent", "--pack-destination", folder], ROOT);
    const tarball = join(folder, packed.trim().split("\n").at(-1) ?? "");
    const ownKilobytes = statSync(tarball).size / 1e3;
    writeFileSync(join(folder, "package.json"), '{ "private": true }');
    await runToEnd(
      ["npm", "install", "--omit=dev", "--no-audit", "--no-fund", "--prefer-offline", tarball],
      folder,
    );
    const modules = join(folder, "node_modules");
    const { files, bytes } = sizeOf(modules);
    const lock = JSON.parse(readFileSync(join(modules, ".package-lock.json"), "utf8")) as {
      readonly packages: object;
    };
    const packages = Object.keys(lock.packages).length;
    return { packages, files, megabytes: bytes / 1e6, ownKilobytes };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
