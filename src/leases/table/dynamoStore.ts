// The rows of a lease table in DynamoDB. Each operation is one request.

import type { DynamoDB } from "@aws-sdk/client-dynamodb";
import { itemUpdates } from "../../aws/dynamoClient.ts";
import { allPages, call, conditional, insert } from "./dynamoCalls.ts";
import { ATTRIBUTES as A, type Item } from "./dynamoItem.ts";
import { conditionExpression, updateExpression } from "./expressions.ts";
import type { RowStore } from "./rowStore.ts";

export function dynamoStore(client: DynamoDB, TableName: string): RowStore {
  const updates = itemUpdates(client);
  return {
    name: TableName,

    scan: (abortSignal, ConsistentRead = false) =>
      call("Scan", TableName, async () => {
        const pages = await allPages((start) =>
          client.scan({ TableName, ConsistentRead, ...start }, { abortSignal }),
        );
        return pages.flat();
      }),

    get: (key, abortSignal) =>
      call("GetItem", TableName, async () => {
        const request = { TableName, Key: keyOf(key), ConsistentRead: true };
        return (await client.getItem(request, { abortSignal })).Item;
      }),

    insert: (row, signal) => insert(client, TableName, row, signal),

    update: (key, change, abortSignal) => {
      const request = { TableName, Key: keyOf(key), ...updateExpression(change) };
      return conditional("UpdateItem", TableName, () => updates.send(request, abortSignal));
    },

    replace: (Item, when, abortSignal) => {
      const request = { TableName, Item, ...conditionExpression(when) };
      return conditional("PutItem", TableName, () => client.putItem(request, { abortSignal }));
    },

    delete: (key, when, abortSignal) => {
      const request = { TableName, Key: keyOf(key), ...conditionExpression(when) };
      return conditional("DeleteItem", TableName, () =>
        client.deleteItem(request, { abortSignal }),
      );
    },
  };
}

function keyOf(key: string): Item {
  return { [A.key]: { S: key } };
}
