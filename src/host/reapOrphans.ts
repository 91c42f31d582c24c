// Process 1 of a container: the kernel hands it every process whose parent has ended, and nobody else can reap them.
// Node reaps only what it has started itself, so what children leave behind would stay as zombies until no process
// can be started any more. A shell does it while it waits; so we put one in our place, which starts us again under it
// and passes on signals and the exit code. Node can only do that from 22.15 on.

import { existsSync } from "node:fs";

const SHELL = "/bin/sh";

/** The whole program of the shell: it starts its arguments as they are. */
export const INIT = `
"$@" <&0 &
daemon=$!
for signal in HUP INT QUIT TERM USR1 USR2; do
  trap "kill -s $signal $daemon" "$signal"
done
while :; do
  wait "$daemon"
  status=$?
  kill -s 0 "$daemon" 2>/dev/null || exit "$status"
done
`;

/**
 * Returns when this process does not have to reap, or cannot be helped.
 *
 * @returns what the person should know, if anything.
 */
export function reapAsProcessOne(): string | undefined {
  if (process.pid !== 1) return undefined;
  const { execve } = process as { readonly execve?: Execve };
  if (execve === undefined || !existsSync(SHELL)) return ADVICE;
  const self = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  return execve(SHELL, ["sh", "-c", INIT, "kinesis-multilang-init", ...self], process.env);
}

type Execve = (file: string, args: readonly string[], env: NodeJS.ProcessEnv) => never;

const ADVICE =
  "This is process 1, and Node cannot reap the orphans that children may leave behind: run the container with an init (docker run --init; Kubernetes: shareProcessNamespace: true; or tini in the image), or use Node 22.15 or later in an image with a shell.";
