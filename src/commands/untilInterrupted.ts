// Runs a command's work until it ends, or until a signal asks the process to stop.

const STOP_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Calls `work` with an AbortSignal that the first SIGINT, SIGTERM or SIGHUP aborts. */
export async function untilInterrupted<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  for (const name of STOP_SIGNALS) process.once(name, interrupt);
  try {
    return await work(stop.signal);
  } finally {
    for (const name of STOP_SIGNALS) process.off(name, interrupt);
  }
}
