// Ends the children of a daemon that was killed and could not end them itself (SIGKILL, out of
// memory). The watchdog is one small shell in its own session. It knows the process groups of the
// children and reads from a pipe that the kernel closes when the daemon ends. The end of the daemon
// also closes each child's STDIN, so the shell gives the children the usual time to exit, and then
// kills what is left, before another worker can take the shards.

import { type ChildProcess, spawn } from "node:child_process";
import type { Emit } from "../../events.ts";

/**
 * The whole program of the shell. Its input consists only of the two commands below and process
 * ids. While it waits, it checks once a second which groups are left, so that it does not kill a
 * new group that reuses a number.
 */
const SCRIPT = `
trap '' HUP INT QUIT TERM
left=' '
while read -r what group; do
  case "$what $left" in
    "add "*) left="$left$group " ;;
    "del "*" $group "*) left="\${left%%" $group "*} \${left#*" $group "}" ;;
  esac
done
look() {
  still=' '
  for group in $left; do kill -s 0 -- "-$group" && still="$still$group "; done
  left=$still
  [ "$left" != ' ' ] || exit 0
}
wait_for() {
  seconds=$1
  look
  while [ "$seconds" -gt 0 ]; do sleep 1; seconds=$((seconds - 1)); look; done
}
wait_for "$1"
for group in $left; do kill -s TERM -- "-$group"; done
wait_for "$2"
for group in $left; do kill -s KILL -- "-$group"; done
`;

/** How often one daemon replaces a shell that exits. */
const RESTARTS_MAX = 100;

export interface WatchdogOptions {
  /** How long children may take after the end of their STDIN, in milliseconds. */
  readonly closeGraceMs: number;
  /** How long they may take after SIGTERM, in milliseconds. */
  readonly terminateGraceMs: number;
  readonly emit: Emit;
}

export class Watchdog {
  readonly #options: WatchdogOptions;
  readonly #groups = new Set<number>();
  #shell: ChildProcess | undefined;
  #restartsLeft = RESTARTS_MAX;

  constructor(options: WatchdogOptions) {
    this.#options = options;
  }

  /**
   * The shell's process id; `undefined` while there are no children, or where no shell is needed.
   */
  get pid(): number | undefined {
    return this.#shell?.pid;
  }

  /** From now on the group that `pid` leads does not outlive this process. */
  guard(pid: number): void {
    this.#groups.add(pid);
    if (this.#shell) this.#shell.stdin?.write(`add ${pid}\n`);
    else this.#start();
  }

  /** The group is empty, and the kernel may reuse its number. */
  release(pid: number): void {
    this.#groups.delete(pid);
    this.#shell?.stdin?.write(`del ${pid}\n`);
    if (this.#groups.size > 0) return;
    this.#shell?.stdin?.end();
    this.#shell = undefined;
  }

  #start(): void {
    // The kernel ends all processes of a container with process 1. Windows has no process groups.
    if (process.pid === 1 || process.platform === "win32" || this.#restartsLeft < 0) return;
    const { closeGraceMs, terminateGraceMs } = this.#options;
    const graces = [closeGraceMs, terminateGraceMs].map((ms) => String(Math.ceil(ms / 1000)));
    const shell = spawn("/bin/sh", ["-c", SCRIPT, "kinesis-multilang-watchdog", ...graces], {
      detached: true,
      cwd: "/",
      // The shell needs PATH to find `sleep`, and nothing else.
      env: { PATH: process.env["PATH"] || "/usr/bin:/bin" },
      stdio: ["pipe", "ignore", "ignore"],
    });
    this.#shell = shell;
    // Neither the shell nor its pipe may keep this process alive.
    shell.unref();
    if ("unref" in shell.stdin && typeof shell.stdin.unref === "function") shell.stdin.unref();
    shell.stdin.on("error", () => {});
    shell.once("error", (error) => this.#ended(shell, error.message));
    shell.once("exit", (code, signal) => this.#ended(shell, signal ?? `exit code ${code}`));
    for (const group of this.#groups) shell.stdin.write(`add ${group}\n`);
  }

  #ended(shell: ChildProcess, reason: string): void {
    if (this.#shell !== shell) return;
    this.#shell = undefined;
    // If the shell cannot be started at all, a retry does not help.
    this.#restartsLeft = shell.pid === undefined ? -1 : this.#restartsLeft - 1;
    const replaced = this.#restartsLeft >= 0;
    this.#options.emit({ type: "watchdogEnded", reason, replaced });
    if (replaced) this.#start();
  }
}
