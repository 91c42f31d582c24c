// Finds promises that were rejected without a handler. In the daemon, each of these would end the
// process.

/** The reasons of all unhandled rejections while `work` was running. */
export async function unhandledDuring(work: () => Promise<void>): Promise<readonly unknown[]> {
  const reasons: unknown[] = [];
  const others = process.listeners("unhandledRejection");
  const note = (reason: unknown) => {
    reasons.push(reason);
  };
  process.removeAllListeners("unhandledRejection").on("unhandledRejection", note);
  try {
    await work();
    await new Promise(setImmediate);
    return reasons;
  } finally {
    process.off("unhandledRejection", note);
    for (const other of others) process.on("unhandledRejection", other);
  }
}
