// Promises that nobody awaited when they were rejected: each would end the daemon.

/** The reasons of all rejections that nobody handled while `work` was under way. */
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
