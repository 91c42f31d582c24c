// What kind of error a service or the network returned, by the error's name or code. This is the
// only table of AWS error names. Other folders build on it: reading (stream/), the lease table
// (leases/), the put command (put/) and the renewal of credentials (aws/refusedKeys.ts).

/**
 * - `throttled`: too many calls, records or bytes, from this program or another one.
 * - `notFound`: the stream, shard, consumer or table that the call names does not exist.
 * - `denied`: credentials are missing, invalid or expired, or lack a permission. An operator has to
 *   act, unless newer credentials are already there (see `areKeysRefused`).
 * - `unreachable`: no connection, or the connection broke.
 * - `other`: any other error; another attempt may succeed.
 */
export type ErrorKind = "throttled" | "notFound" | "denied" | "unreachable" | "other";

/** The service refuses the access keys themselves: neither a permission nor the request's time. */
const KEYS_REFUSED = [
  "ExpiredTokenException",
  "ExpiredToken",
  "TokenRefreshRequired",
  "UnrecognizedClientException",
  "InvalidClientTokenId",
  "InvalidAccessKeyId",
  "InvalidToken",
  "RequestExpired",
  // The keys may be half of an old pair and half of a new one: the file was being written.
  "InvalidSignatureException",
  "SignatureDoesNotMatch",
];

const NAMES: Readonly<Record<Exclude<ErrorKind, "unreachable" | "other">, readonly string[]>> = {
  throttled: [
    "ProvisionedThroughputExceededException",
    "LimitExceededException",
    "KMSThrottlingException",
    "ThrottlingException",
    "Throttling",
    "RequestLimitExceeded",
    "TransactionConflictException",
  ],
  notFound: ["ResourceNotFoundException"],
  denied: [
    ...KEYS_REFUSED,
    "AccessDeniedException",
    "AccessDenied",
    "KMSAccessDeniedException",
    "KMSDisabledException",
    "KMSInvalidStateException",
    "KMSNotFoundException",
    "KMSOptInRequired",
    "IncompleteSignatureException",
    "MissingAuthenticationTokenException",
    "RequestTimeTooSkewed",
    "CredentialsProviderError",
    "TokenProviderError",
  ],
};

/** System codes and SDK names of network failures, as the predicate of "Kinesis at ENDPOINT". */
const UNREACHABLE: ReadonlyMap<string, string> = new Map([
  ["ECONNREFUSED", "refused the connection"],
  ["ECONNRESET", "closed the connection"],
  ["EPIPE", "closed the connection"],
  ["EHOSTUNREACH", "cannot be reached"],
  ["ENETUNREACH", "cannot be reached"],
  ["NetworkingError", "cannot be reached"],
  ["ENOTFOUND", "has a host name that does not resolve"],
  ["EAI_AGAIN", "has a host name that does not resolve at the moment"],
  ["ETIMEDOUT", "did not respond in time"],
  ["TimeoutError", "did not respond in time"],
  ["EPROXY", "cannot be reached through the proxy"],
  ["EPROTO", "does not accept our TLS; should its URL begin with http:// instead of https://?"],
]);

const KIND_BY_NAME: ReadonlyMap<string, ErrorKind> = new Map(
  (["throttled", "notFound", "denied"] as const).flatMap((kind) =>
    NAMES[kind].map((name): [string, ErrorKind] => [name, kind]),
  ),
);

export function kindOfError(error: unknown): ErrorKind {
  if (!(error instanceof Error)) return "other";
  const kind = KIND_BY_NAME.get(error.name);
  if (kind === "denied" && isClockCorrected(error)) return "other";
  if (kind) return kind;
  return whyUnreachable(error) ? "unreachable" : "other";
}

/** Whether newer keys may help. */
export function areKeysRefused(error: unknown): error is Error {
  return error instanceof Error && KEYS_REFUSED.includes(error.name);
}

/** What happened between us and the endpoint; `undefined` when it is no network failure. */
export function whyUnreachable(
  error: unknown,
): { readonly code: string; readonly predicate: string } | undefined {
  if (!(error instanceof Error)) return undefined;
  for (const code of [codeOf(error), error.name]) {
    const predicate = UNREACHABLE.get(code);
    if (predicate) return { code, predicate };
  }
  return undefined;
}

/** The other side closed a connection that had been idle: the next attempt opens a new one. */
export function isStaleConnection(error: unknown): boolean {
  return error instanceof Error && ["ECONNRESET", "EPIPE"].includes(codeOf(error));
}

/**
 * The service refused the signature because of its time. The SDK has learned the service's clock
 * from the response, so the next attempt will succeed.
 */
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
