// One producer at a time uses a spill directory. The lock is a file with the process's id and the
// time at which it started, because ids are used again.

import { readFile, unlink, writeFile } from "node:fs/promises";
import { UserError } from "../../model/errors.ts";

/** @throws UserError when a living process holds the lock. */
export async function lock(file: string): Promise<void> {
  const own = await identity(process.pid);
  for (;;) {
    try {
      await writeFile(file, own, { flag: "wx" });
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const holder = await readFile(file, "utf8").catch(() => "");
    const pid = Number(holder.split(" ")[0]);
    if (pid > 0 && isAlive(pid) && (await identity(pid)) === holder) {
      throw new UserError(
        `The spill directory is used by another producer (process ${pid}): ${file}. Give each producer its own directory.`,
      );
    }
    await unlink(file).catch(() => {});
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** The process's id, and its start time where the system reports it. */
async function identity(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  // The name of the command may contain blanks; the 20th field after it is the start time.
  const started = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  return `${pid} ${started}`;
}
