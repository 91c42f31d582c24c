// What went wrong with the lease table, in words that say what to do.

import { LeaseTableError } from "../leases/table.ts";
import { UserError } from "../model/errors.ts";

/** A UserError for trouble with the table; anything else as it was. */
export function explainTable(error: unknown): unknown {
  return error instanceof LeaseTableError
    ? new UserError(tableTrouble(error), { cause: error })
    : error;
}

function tableTrouble({ reason, message }: LeaseTableError): string {
  switch (reason) {
    case "tableMissing":
      return `${message}. There is no such table: check its name (tableName, else applicationName), the region and the account; the first daemon makes it.`;
    case "denied":
      return `${message}. Check the credentials, and that they allow this on the table.`;
    default:
      return `${message}.`;
  }
}

/** The same, and what Kinesis refused. */
export function explainServices(error: unknown): unknown {
  if (!(error instanceof Error && "$fault" in error)) return explainTable(error);
  return new UserError(`Kinesis refused (${error.name}: ${error.message}).`, { cause: error });
}
