// Finds the processes that a program under test has started, by a mark in their environment.

import { readdir, readFile } from "node:fs/promises";

/** Process ids whose environment holds `NAME=value`. Needs /proc, that is Linux. */
export async function processesWith(mark: string): Promise<readonly number[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const marked = await Promise.all(
    pids.map(async (pid) => {
      // A process may end while we read it.
      const environment = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
      return environment.split("\0").includes(mark);
    }),
  );
  return pids.filter((_, index) => marked[index]);
}
