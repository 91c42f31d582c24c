// Errors of reading, and what kind of trouble each error of the service is: the kind decides what is done about it.

import { UserError } from "../../model/errors.ts";

/** The stream itself is not there. */
export class StreamNotFound extends UserError {}

/** The place to read on from is not in the shard: it is one of another stream, or was written by hand. */
export class ForeignPosition extends UserError {
  constructor(stream: string, shardId: string, what: string) {
    super(
      `${what}. Nothing is read from this shard until that is mended, and nothing is passed over. ` +
        `If the lease of ${shardId} was edited, or a child stored a wrong number, begin this shard at its oldest record: ` +
        `kinesis-multilang checkpoints reset --shard ${shardId} --to trim-horizon -p FILE --yes. ` +
        `If the stream "${stream}" was deleted and made again under its name, stop all workers of the application and begin all of it: ` +
        "kinesis-multilang checkpoints reset --to trim-horizon -p FILE --yes",
    );
  }
}

/** The service will not read on from this place, now or later: its number came from another shard or stream. */
export function isRefusedPlace(error: unknown): error is Error {
  return error instanceof Error && error.name === "InvalidArgumentException";
}

/** Only a person mends it: to be tried again seldom. */
export function isLasting(error: unknown): boolean {
  return (
    error instanceof StreamNotFound ||
    error instanceof ForeignPosition ||
    kindOfTrouble(error) === "denied"
  );
}

/**
 * - `iteratorGone`: the iterator is too old or not accepted; a new one from the position mends it.
 * - `throttled`: too many calls or bytes on this shard, by us or by others.
 * - `notFound`: the stream, the shard or the table's row named in the call is not there.
 * - `denied`: credentials are missing, wrong, expired, or lack a permission. Only a person mends it.
 * - `unreachable`: no connection, or it broke; concerns every shard alike.
 * - `other`: an answer that the service may give better next time.
 */
export type TroubleKind =
  | "iteratorGone"
  | "throttled"
  | "notFound"
  | "denied"
  | "unreachable"
  | "other";

const KIND_BY_NAME: ReadonlyMap<string, TroubleKind> = new Map(
  Object.entries({
    ExpiredIteratorException: "iteratorGone",
    InvalidArgumentException: "iteratorGone",
    ProvisionedThroughputExceededException: "throttled",
    LimitExceededException: "throttled",
    KMSThrottlingException: "throttled",
    ThrottlingException: "throttled",
    ResourceNotFoundException: "notFound",
    AccessDeniedException: "denied",
    KMSAccessDeniedException: "denied",
    KMSDisabledException: "denied",
    KMSInvalidStateException: "denied",
    KMSNotFoundException: "denied",
    KMSOptInRequired: "denied",
    UnrecognizedClientException: "denied",
    InvalidSignatureException: "denied",
    IncompleteSignatureException: "denied",
    MissingAuthenticationTokenException: "denied",
    InvalidClientTokenId: "denied",
    ExpiredTokenException: "denied",
    RequestExpired: "denied",
    RequestTimeTooSkewed: "denied",
    CredentialsProviderError: "denied",
    TokenProviderError: "denied",
    TimeoutError: "unreachable",
    NetworkingError: "unreachable",
  } satisfies Record<string, TroubleKind>),
);

const UNREACHABLE_CODES: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
]);

export function kindOfTrouble(error: unknown): TroubleKind {
  if (!(error instanceof Error)) return "other";
  const kind = KIND_BY_NAME.get(error.name);
  if (kind === "denied" && isClockCorrected(error)) return "other";
  if (kind) return kind;
  return UNREACHABLE_CODES.has(codeOf(error)) ? "unreachable" : "other";
}

/** True when a connection that had been idle was closed by the other side: the next try makes a new one. */
export function isStaleConnection(error: unknown): boolean {
  return error instanceof Error && ["ECONNRESET", "EPIPE"].includes(codeOf(error));
}

/** The signature was refused for its time; the SDK has taken the service's clock from the answer, so the next will do. */
function isClockCorrected(error: Error): boolean {
  if (!("$metadata" in error)) return false;
  const { $metadata } = error;
  return (
    typeof $metadata === "object" &&
    $metadata !== null &&
    "clockSkewCorrected" in $metadata &&
    $metadata.clockSkewCorrected === true
  );
}

function codeOf(error: Error): string {
  return "code" in error && typeof error.code === "string" ? error.code : "";
}
