// Turns errors of the SDK that have an external cause into errors that tell the user what to do.

import { UserError } from "../model/errors.ts";

export interface Attempted {
  /** What was attempted, such as "put records into stream words". */
  readonly doing: string;
  /** Where Kinesis was called, such as `http://127.0.0.1:4567` or "AWS (eu-west-1)". */
  readonly endpoint: string;
}

/** A UserError for an unreachable endpoint or a refused call; any other error unchanged. */
export function explain(error: unknown, { doing, endpoint }: Attempted): unknown {
  if (!(error instanceof Error) || error instanceof UserError) return error;
  const code = "code" in error && typeof error.code === "string" ? error.code : undefined;
  const options = { cause: error };
  const unreachable = UNREACHABLE[code ?? error.name];
  if (unreachable) {
    return new UserError(
      `Could not ${doing}: Kinesis at ${endpoint} ${unreachable} (${code ?? error.name}). Check --endpoint and --region, and that the service is running.`,
      options,
    );
  }
  if ("$fault" in error && error.$fault === "client") {
    return new UserError(`Could not ${doing}: ${error.name}: ${error.message}`, options);
  }
  return error;
}

const UNREACHABLE: Readonly<Record<string, string>> = {
  ECONNREFUSED: "refused the connection",
  ECONNRESET: "closed the connection",
  EHOSTUNREACH: "cannot be reached",
  ENETUNREACH: "cannot be reached",
  ENOTFOUND: "has a host name that does not resolve",
  EAI_AGAIN: "has a host name that cannot be resolved at the moment",
  ETIMEDOUT: "did not answer in time",
  EPIPE: "closed the connection",
  EPROTO: "did not complete the TLS handshake (use http:// if it has no TLS)",
  TimeoutError: "did not answer in time",
};
