// What to do when the daemon is process 1 of a container. The kernel makes process 1 the parent of
// every process whose own parent has ended, and only process 1 can reap them. Node reaps only the
// processes that it has started itself, so orphans of the children would remain as zombies until no
// process can be started any more. A shell reaps while it waits. So the daemon replaces itself by a
// shell, which starts the daemon again and passes on signals and the exit code. This needs Node
// 22.15 or later.

import { existsSync } from "node:fs";
import { OWN_COMMAND } from "../package.ts";

const SHELL = "/bin/sh";

/** The whole program of the shell. It starts its arguments unchanged. */
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
 * Replaces this process by a shell, if it is process 1 and that is possible; otherwise returns.
 *
 * @returns a notice for the user if this process should reap orphans but cannot.
 */
export function reapAsProcessOne(): string | undefined {
  if (process.pid !== 1) return undefined;
  const { execve } = process as { readonly execve?: Execve };
  if (execve === undefined || !existsSync(SHELL)) return ADVICE;
  return execve(SHELL, ["sh", "-c", INIT, "kinesis-multilang-init", ...OWN_COMMAND], process.env);
}

type Execve = (file: string, args: readonly string[], env: NodeJS.ProcessEnv) => never;

const ADVICE =
  "The daemon is process 1 of its container, and Node cannot reap the orphan processes that children may leave behind. Run the container with an init (docker run --init; Kubernetes: shareProcessNamespace: true; or tini in the image), or use Node 22.15 or later in an image with a shell.";
