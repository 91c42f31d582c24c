// Turns what the SDK throws when something outside is wrong into words that tell a person what to do.

import { whyUnreachable } from "../aws/errors.ts";
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
  const options = { cause: error };
  const unreachable = whyUnreachable(error);
  if (unreachable) {
    return new UserError(
      `Could not ${doing}: Kinesis at ${endpoint} ${unreachable.predicate} (${unreachable.code}). Check --endpoint and --region, and whether it is up.`,
      options,
    );
  }
  if ("$fault" in error && error.$fault === "client") {
    return new UserError(`Could not ${doing}: ${error.name}: ${error.message}`, options);
  }
  return error;
}
