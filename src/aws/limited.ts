// A time limit for one call of a service, and the end of the call when its caller stops.

/** A call that took too long. */
class CallTimeout extends Error {
  override readonly name = "TimeoutError";
}

/** Whose patience it is, and how long. */
export interface TimeLimit {
  readonly requestTimeoutMs: number;
  /** Kinesis when absent. */
  readonly service?: string;
}

/** @param controller aborts the call when it takes too long or the signal is aborted; one that was not used up by that. */
export async function limited<T>(
  { requestTimeoutMs, service = "Kinesis" }: TimeLimit,
  operation: string,
  signal: AbortSignal,
  call: (signal: AbortSignal) => Promise<T>,
  controller = new AbortController(),
): Promise<T> {
  signal.throwIfAborted();
  // Not AbortSignal.any: on a signal that lives as long as the daemon it leaks a little with each call.
  const abort = () => controller.abort(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  let late = false;
  // A plain timer: `Clock.sleep` makes an error for each call that ends in time.
  const timer = setTimeout(() => {
    late = true;
    controller.abort();
  }, requestTimeoutMs);
  try {
    return await call(controller.signal);
  } catch (cause) {
    if (!late) throw cause;
    throw new CallTimeout(`${service} did not answer ${operation} within ${requestTimeoutMs} ms.`, {
      cause,
    });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
}
