// Ends the children of a daemon that is killed without a chance to do it itself (SIGKILL, out of memory): one tiny
// shell, in a session of its own, that knows the process groups of the children and reads from a pipe which the kernel
// closes with the daemon. Then each child has seen the end of its STDIN too, and gets the time to end by itself that
// it always gets; what is left after that is killed before another worker can have its shard.

import { type ChildProcess, spawn } from "node:child_process";
import type { Emit } from "../../events.ts";

/**
 * The whole program of the shell. It interprets nothing but the two words below and numbers of ours. While it waits
 * it asks once a second which groups are left, so that a number that has been used again is not killed by mistake.
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

/** A shell that does not stay is tried again so often in a daemon's life. */
const RESTARTS_MAX = 100;

export interface WatchdogOptions {
  /** How long children may take after the end of their STDIN, and again after SIGTERM. */
  readonly closeGraceMs: number;
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

  /** The shell's process id; `undefined` while there is nothing to guard, or where it is not needed. */
  get pid(): number | undefined {
    return this.#shell?.pid;
  }

  /** From now on the group that `pid` leads does not outlive this process. */
  guard(pid: number): void {
    this.#groups.add(pid);
    if (this.#shell) this.#shell.stdin?.write(`add ${pid}\n`);
    else this.#start();
  }

  /** Nothing is left of the group; its number may belong to somebody else. */
  release(pid: number): void {
    this.#groups.delete(pid);
    this.#shell?.stdin?.write(`del ${pid}\n`);
    if (this.#groups.size > 0) return;
    this.#shell?.stdin?.end();
    this.#shell = undefined;
  }

  #start(): void {
    // Where we are process 1 the kernel ends all others with us. Windows has no process groups.
    if (process.pid === 1 || process.platform === "win32" || this.#restartsLeft < 0) return;
    const { closeGraceMs, terminateGraceMs } = this.#options;
    const graces = [closeGraceMs, terminateGraceMs].map((ms) => String(Math.ceil(ms / 1000)));
    const shell = spawn("/bin/sh", ["-c", SCRIPT, "kinesis-multilang-watchdog", ...graces], {
      detached: true,
      cwd: "/",
      // For `sleep`; nothing else of ours is its business.
      env: { PATH: process.env["PATH"] || "/usr/bin:/bin" },
      stdio: ["pipe", "ignore", "ignore"],
    });
    this.#shell = shell;
    // Neither keeps this process from ending: its end is what they wait for.
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
    // A shell that cannot even be started will not be started by asking again.
    this.#restartsLeft = shell.pid === undefined ? -1 : this.#restartsLeft - 1;
    const replaced = this.#restartsLeft >= 0;
    this.#options.emit({ type: "watchdogEnded", reason, replaced });
    if (replaced) this.#start();
  }
}
