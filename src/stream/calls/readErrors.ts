// The errors of reading, and the kind of each: the kind decides what the reader does next. Built on
// the table in aws/errors.ts; a shard iterator adds one kind.

import { type ErrorKind, kindOfError } from "../../aws/errors.ts";
import { UserError } from "../../model/errors.ts";

/** The stream does not exist. */
export class StreamNotFound extends UserError {}

/** The position to continue from is not in the shard: it is from another stream, or was edited. */
export class ForeignPosition extends UserError {
  constructor(stream: string, shardId: string, what: string) {
    super(
      `${what}. The daemon reads nothing from this shard, and skips nothing, until this is corrected. ` +
        `If the lease of ${shardId} was edited, or a child checkpointed a wrong number, start this shard at its oldest record: ` +
        `kinesis-multilang checkpoints reset --shard ${shardId} --to trim-horizon -p FILE --yes. ` +
        `If the stream "${stream}" was deleted and created again with the same name, stop all workers of the application and start all shards again: ` +
        "kinesis-multilang checkpoints reset --to trim-horizon -p FILE --yes",
    );
  }
}

/**
 * Kinesis will never read from this position: its sequence number is from another shard or stream.
 */
export function isRefusedPlace(error: unknown): error is Error {
  return error instanceof Error && error.name === "InvalidArgumentException";
}

/** Only an operator can correct this: the reader retries at long intervals. */
export function isLasting(error: unknown): boolean {
  return (
    error instanceof StreamNotFound ||
    error instanceof ForeignPosition ||
    kindOfReadError(error) === "denied"
  );
}

/** `iteratorGone`: the shard iterator is too old or invalid. A new one from the position works. */
export type ReadErrorKind = ErrorKind | "iteratorGone";

export function kindOfReadError(error: unknown): ReadErrorKind {
  if (isRefusedPlace(error)) return "iteratorGone";
  const isExpired = error instanceof Error && error.name === "ExpiredIteratorException";
  return isExpired ? "iteratorGone" : kindOfError(error);
}
