// Bounded concurrency over a list.

/**
 * Starts the work in the list's order, with at most `limit` items in flight.
 *
 * @throws the first failure in the list's order, when everything in flight has ended. After a
 *   failure a worker takes no further item.
 */
export async function inParallel<T>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  const workers = Array.from({ length: Math.min(limit, items.length) }, async () => {
    for (const item of queue) await work(item);
  });
  for (const result of await Promise.allSettled(workers)) {
    if (result.status === "rejected") throw result.reason;
  }
}
