// What an error of DynamoDB means for a lease: a lost race, a reason to wait, or a write that may
// have happened.

import { kindOfError } from "../../aws/errors.ts";
import { UserError } from "../../model/errors.ts";
import { LeaseTableError, type TableFailure } from "../table.ts";
import { NotALease } from "./dynamoItem.ts";

export function isConditionFailed(error: unknown): boolean {
  return error instanceof Error && error.name === "ConditionalCheckFailedException";
}

export function isTableMissing(error: unknown): boolean {
  return error instanceof Error && error.name === "ResourceNotFoundException";
}

/** The error as a LeaseTableError; a UserError is returned unchanged. */
export function translate(operation: string, tableName: string, error: unknown): Error {
  if (error instanceof UserError || error instanceof LeaseTableError) return error;
  if (error instanceof NotALease) return unreadableRow(tableName, error);
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new LeaseTableError(
    reasonOf(error),
    `DynamoDB ${operation} on lease table "${tableName}" failed (${text})`,
    { cause: error },
  );
}

export function unreadableRow(tableName: string, cause: NotALease): LeaseTableError {
  return new LeaseTableError("unreadable", `lease table "${tableName}": ${cause.message}`, {
    cause,
  });
}

function reasonOf(error: unknown): TableFailure {
  const kind = kindOfError(error);
  if (kind === "notFound") return "tableMissing";
  return kind === "throttled" || kind === "denied" ? kind : "unavailable";
}
