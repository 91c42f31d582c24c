// Turns errors of the lease table and of Kinesis into messages that name a remedy.

import { LeaseTableError } from "../leases/table.ts";
import { UserError } from "../model/errors.ts";

/** A UserError for an error of the table; any other error unchanged. */
export function explainTable(error: unknown): unknown {
  return error instanceof LeaseTableError
    ? new UserError(tableMessage(error), { cause: error })
    : error;
}

function tableMessage({ reason, message }: LeaseTableError): string {
  switch (reason) {
    case "tableMissing":
      return `${message}. There is no such table. Check its name (tableName, else applicationName), the region and the account. The first daemon creates the table.`;
    case "denied":
      return `${message}. Check the credentials, and whether their policy allows this on the table.`;
    default:
      return `${message}.`;
  }
}

/** A UserError for an error of the table or of Kinesis; any other error unchanged. */
export function explainServices(error: unknown): unknown {
  if (!(error instanceof Error && "$fault" in error)) return explainTable(error);
  return new UserError(
    `Kinesis rejected a request (${error.name}: ${error.message}). kinesis-multilang doctor checks the permissions.`,
    { cause: error },
  );
}
