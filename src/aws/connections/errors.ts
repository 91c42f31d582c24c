// What can go wrong between a call and its answer, as errors that the SDK's retries and our own know by their codes.

/** What came is no answer, or one that is too long. The connection is closed. */
export class BrokenAnswer extends Error {
  override readonly name = "BrokenAnswer";

  /** @param what is wrong, after "The service's answer". */
  constructor(what: string) {
    super(`The service's answer ${what}.`);
  }
}

/** The connection is gone before the answer was whole, or was never made. */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
  readonly code: "ECONNRESET" | "ETIMEDOUT";

  constructor(code: "ECONNRESET" | "ETIMEDOUT", message: string) {
    super(message);
    this.code = code;
  }
}

/** The caller does not want the answer any more. */
export function abortError(signal: AbortSignal): Error {
  const error = new Error("The call was aborted.", { cause: signal.reason });
  error.name = "AbortError";
  return error;
}
