// Calls to one table: errors become LeaseTableError, and a failed condition becomes a value.

import type { DynamoDB } from "@aws-sdk/client-dynamodb";
import type { WriteResult } from "../table.ts";
import { isConditionFailed, translate } from "./dynamoErrors.ts";
import { ATTRIBUTES as A, type Item } from "./dynamoItem.ts";

/** One request to a table. @throws LeaseTableError, or UserError as it was thrown. */
export async function call<T>(
  operation: string,
  tableName: string,
  request: () => Promise<T>,
): Promise<T> {
  try {
    return await request();
  } catch (error) {
    throw translate(operation, tableName, error);
  }
}

/** One conditional write: `"conflict"` when its condition was not met. */
export function conditional(
  operation: string,
  tableName: string,
  request: () => Promise<unknown>,
): Promise<WriteResult> {
  return call(operation, tableName, async () => {
    try {
      await request();
      return "written";
    } catch (error) {
      if (isConditionFailed(error)) return "conflict";
      throw error;
    }
  });
}

/** Creates a row if there is none with its key. */
export async function insert(
  client: DynamoDB,
  TableName: string,
  Item: Item,
  abortSignal: AbortSignal,
): Promise<"created" | "exists"> {
  const request = { TableName, Item, ConditionExpression: `attribute_not_exists(${A.key})` };
  const put = () => client.putItem(request, { abortSignal });
  return (await conditional("PutItem", TableName, put)) === "written" ? "created" : "exists";
}

/** Reads all pages of a scan or query. @param page reads the page that starts after a key. */
export async function allPages(
  page: (ExclusiveStartKey: { readonly ExclusiveStartKey?: Item }) => Promise<{
    readonly Items?: Item[] | undefined;
    readonly LastEvaluatedKey?: Item | undefined;
  }>,
): Promise<readonly (readonly Item[])[]> {
  const pages: (readonly Item[])[] = [];
  let start: Item | undefined;
  do {
    const { Items = [], LastEvaluatedKey } = await page(start ? { ExclusiveStartKey: start } : {});
    pages.push(Items);
    start = LastEvaluatedKey;
  } while (start);
  return pages;
}
