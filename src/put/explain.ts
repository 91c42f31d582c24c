// Turns what the SDK throws when something outside is wrong into words that tell a person what to do.

import { UserError } from "../model/errors.ts";

export interface Attempted {
  /** What we were doing, such as "put records into stream words". */
  readonly doing: string;
  /** Where Kinesis was looked for, such as `http://127.0.0.1:4567` or "AWS". */
  readonly endpoint: string;
}

/** A UserError for an endpoint out of reach or a refusal; anything else as it was. */
export function explain(error: unknown, { doing, endpoint }: Attempted): unknown {
  if (!(error instanceof Error) || error instanceof UserError) return error;
  const code = "code" in error && typeof error.code === "string" ? error.code : undefined;
  const options = { cause: error };
  const unreachable = UNREACHABLE[code ?? error.name];
  if (unreachable) {
    return new UserError(
      `Could not ${doing}: Kinesis at ${endpoint} ${unreachable} (${code ?? error.name}). Check --endpoint and --region, and whether it is up.`,
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
  ECONNRESET: "cut the connection",
  EHOSTUNREACH: "cannot be reached",
  ENETUNREACH: "cannot be reached",
  ENOTFOUND: "has a host name that does not resolve",
  EAI_AGAIN: "has a host name that does not resolve for now",
  ETIMEDOUT: "did not answer in time",
  EPIPE: "cut the connection",
  EPROTO: "does not speak TLS as we do; is it http:// rather than https://?",
  TimeoutError: "did not answer in time",
};
