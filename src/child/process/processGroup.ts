// Signals for whole process groups, and the certainty that none outlives the daemon when it ends in a hurry.

const groups = new Set<number>();

/** From now on the group is killed when this process exits, however it comes to exit by itself. */
export function rememberGroup(pid: number): void {
  if (groups.size === 0) process.on("exit", killGroups);
  groups.add(pid);
}

export function forgetGroup(pid: number): void {
  groups.delete(pid);
  if (groups.size === 0) process.off("exit", killGroups);
}

/** Signals all processes in the group that `pid` leads or led; nobody being there is fine. */
export function signalGroup(pid: number, signal: "SIGTERM" | "SIGKILL"): void {
  // Once forgotten, the number may belong to somebody else.
  if (!groups.has(pid)) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    // ESRCH: gone. EPERM: all that is left has changed its user, or (on macOS) is a zombie.
    if (!isCode(error, "ESRCH") && !isCode(error, "EPERM")) throw error;
  }
}

function killGroups(): void {
  for (const pid of groups) signalGroup(pid, "SIGKILL");
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
