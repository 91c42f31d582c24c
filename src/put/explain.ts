// Turns errors of the SDK that have an external cause into errors that tell the user what to do.

import { whyUnreachable } from "../aws/errors.ts";
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
  const options = { cause: error };
  const unreachable = whyUnreachable(error);
  if (unreachable) {
    return new UserError(
      `Could not ${doing}: Kinesis at ${endpoint} ${unreachable.predicate} (${unreachable.code}). Check --endpoint and --region, and that the service is running.`,
      options,
    );
  }
  if ("$fault" in error && error.$fault === "client") {
    return new UserError(`Could not ${doing}: ${error.name}: ${error.message}`, options);
  }
  return error;
}
