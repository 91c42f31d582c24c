// What an error of DynamoDB means for a lease: a lost race, a reason to wait, or a write that may
// have happened.

import { UserError } from "../../model/errors.ts";
import { LeaseTableError, type TableFailure } from "../table.ts";
import { NotALease } from "./dynamoItem.ts";

const THROTTLED = new Set([
  "ProvisionedThroughputExceededException",
  "ThrottlingException",
  "Throttling",
  "RequestLimitExceeded",
  "LimitExceededException",
  "TransactionConflictException",
]);

const DENIED = new Set([
  "AccessDeniedException",
  "AccessDenied",
  "UnrecognizedClientException",
  "InvalidClientTokenId",
  "InvalidSignatureException",
  "IncompleteSignatureException",
  "MissingAuthenticationTokenException",
  "ExpiredTokenException",
  "ExpiredToken",
  "CredentialsProviderError",
  "TokenProviderError",
]);

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
  const name = error instanceof Error ? error.name : "";
  if (isTableMissing(error)) return "tableMissing";
  if (THROTTLED.has(name)) return "throttled";
  if (DENIED.has(name)) return "denied";
  return "unavailable";
}
