// Limits the time of one call to a service, and aborts the call when its caller stops.

/** The call exceeded its time limit. */
class CallTimeout extends Error {
  override readonly name = "TimeoutError";
}

export interface TimeLimit {
  readonly requestTimeoutMs: number;
  /** Kinesis when absent. */
  readonly service?: string;
}

/**
 * @param call receives the controller's signal.
 * @param controller aborts the call on a timeout, or when `signal` is aborted. A caller may pass
 *   the same one again until it is aborted.
 * @throws TimeoutError, or what the call throws.
 */
export async function limited<T>(
  { requestTimeoutMs, service = "Kinesis" }: TimeLimit,
  operation: string,
  signal: AbortSignal,
  call: (signal: AbortSignal) => Promise<T>,
  controller = new AbortController(),
): Promise<T> {
  signal.throwIfAborted();
  // Not AbortSignal.any: it leaks memory with each call on a signal that lives as long as the
  // daemon.
  const abort = () => controller.abort(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  let late: CallTimeout | undefined;
  // Not `Clock.sleep`: it would create an error for each call that ends in time.
  const timer = setTimeout(() => {
    const message = `${service} did not respond to ${operation} within ${requestTimeoutMs} ms.`;
    late = new CallTimeout(message);
    controller.abort(late);
  }, requestTimeoutMs);
  try {
    return await call(controller.signal);
  } catch (cause) {
    throw late ?? cause;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
}
