// What an error of PutRecords means for the records: wait and try again, give up this record, or
// ask for an operator. And whether the records may be stored all the same.

import { kindOfError, whyUnreachable } from "../aws/errors.ts";
import { UserError } from "../model/errors.ts";

/**
 * - `throttled`: the shard accepts no more at the moment.
 * - `wait`: the network, or a failure inside the service; another attempt may succeed.
 * - `invalid`: the service cannot accept a record of the call.
 * - `permanent`: the configuration is wrong: no permission, no stream, a disabled KMS key.
 */
export type FailureKind = "throttled" | "wait" | "invalid" | "permanent";

export interface Failure {
  readonly kind: FailureKind;
  readonly errorCode: string;
  readonly errorMessage: string;
  /** The service may have stored the records although the call failed. */
  readonly maybeStored: boolean;
}

const INVALID = [
  "ValidationException",
  "InvalidArgumentException",
  "SerializationException",
  "RequestEntityTooLarge",
  "RequestEntityTooLargeException",
];
const PAYLOAD_TOO_LARGE = 413;
/** The request never reached the service. */
const NOT_SENT = [
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EPROTO",
];

/** A call that failed as a whole. */
export function failureOfCall(error: unknown): Failure {
  const known = error instanceof Error ? error : new Error(String(error));
  const unreachable = whyUnreachable(known);
  const text = { errorCode: unreachable?.code ?? known.name, errorMessage: known.message };
  const kind = kindOfError(known);
  if (known instanceof UserError) {
    return { ...text, errorCode: "ConfigurationError", kind: "permanent", maybeStored: false };
  }
  if (INVALID.includes(known.name) || statusOf(known) === PAYLOAD_TOO_LARGE) {
    return { ...text, kind: "invalid", maybeStored: false };
  }
  switch (kind) {
    case "throttled":
      return { ...text, kind, maybeStored: false };
    case "denied":
    case "notFound":
      return { ...text, kind: "permanent", maybeStored: false };
    case "unreachable":
      return { ...text, kind: "wait", maybeStored: !NOT_SENT.includes(text.errorCode) };
    case "other":
      return { ...text, kind: "wait", maybeStored: true };
  }
}

/** A record that the service refused in a call that succeeded. */
export function failureOfRecord(errorCode: string, errorMessage: string): Failure {
  const error = new Error(errorMessage);
  error.name = errorCode;
  return { ...failureOfCall(error), errorCode, errorMessage };
}

function statusOf(error: Error): number | undefined {
  if (!("$metadata" in error)) return undefined;
  const { $metadata } = error;
  const isObject = typeof $metadata === "object" && $metadata !== null;
  return isObject && "httpStatusCode" in $metadata ? Number($metadata.httpStatusCode) : undefined;
}
