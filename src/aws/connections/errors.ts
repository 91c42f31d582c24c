// The errors between a call and its response. The SDK's retries and ours recognise them by their
// codes.

/** The response is not valid HTTP, or is too long. The connection is closed. */
export class InvalidHttpResponse extends Error {
  override readonly name = "InvalidHttpResponse";

  /** @param predicate of the sentence "The service's response …". */
  constructor(predicate: string) {
    super(`The service's response ${predicate}.`);
  }
}

/** The connection was not established, or was closed before the response was complete. */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
  readonly code: "ECONNRESET" | "ETIMEDOUT";

  constructor(code: "ECONNRESET" | "ETIMEDOUT", message: string) {
    super(message);
    this.code = code;
  }
}

/** The caller aborted the call. */
export function abortError(signal: AbortSignal): Error {
  const error = new Error("The call was aborted.", { cause: signal.reason });
  error.name = "AbortError";
  return error;
}
