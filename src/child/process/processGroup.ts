// Sends signals to whole process groups, and kills all of them when the daemon exits without having
// stopped its children.

const groups = new Set<number>();

/** From now on the group is killed when this process exits, unless a signal kills this process. */
export function rememberGroup(pid: number): void {
  if (groups.size === 0) process.on("exit", killGroups);
  groups.add(pid);
}

export function forgetGroup(pid: number): void {
  groups.delete(pid);
  if (groups.size === 0) process.off("exit", killGroups);
}

/** Signals all processes in the group that `pid` leads or led. An empty group is no error. */
export function signalGroup(pid: number, signal: "SIGTERM" | "SIGKILL"): void {
  // The number of a group that was removed may belong to another group.
  if (!groups.has(pid)) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    // ESRCH: the group is empty. EPERM: its processes have changed their user or (macOS) are
    // zombies.
    if (!isCode(error, "ESRCH") && !isCode(error, "EPERM")) throw error;
  }
}

function killGroups(): void {
  for (const pid of groups) signalGroup(pid, "SIGKILL");
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
