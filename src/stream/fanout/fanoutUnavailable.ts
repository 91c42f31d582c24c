// Enhanced fan-out is refused: a permission is missing, or the stream has as many consumers as it may. A person can mend
// it; or the stream is polled.

export class FanoutUnavailable extends Error {
  override readonly name = "FanoutUnavailable";

  /** @param cause what the service answered to the operation. */
  constructor(operation: string, cause: unknown) {
    const said = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
    super(
      `Enhanced fan-out is refused: ${operation} failed with ${said}. Allow kinesis:${operation} on the stream and its consumers, deregister a consumer that is not used, or poll: retrievalMode = POLLING (AUTO chooses by itself).`,
      { cause },
    );
  }
}
