// What a conditional write does to a row. Pure: DynamoDB evaluates the same conditions and changes
// for a table (../table/expressions.ts).

import { isDeepStrictEqual } from "node:util";
import type { Item } from "../table/dynamoItem.ts";
import type { Change, Conditions } from "../table/rowStore.ts";

/** @param row `undefined`: there is none with the key. */
export function holds(when: Conditions, row: Item | undefined): boolean {
  return Object.entries(when).every(([name, condition]) => {
    const value = row?.[name];
    if (condition === "absent") return value === undefined;
    if (condition === "present") return value !== undefined;
    return isDeepStrictEqual(value, condition);
  });
}

/** The row after a change whose conditions hold. */
export function changedRow(row: Item, { set = {}, remove = [], increment = [] }: Change): Item {
  const changed = { ...row, ...set };
  for (const name of remove) delete changed[name];
  for (const name of increment) changed[name] = { N: String(Number(row[name]?.N ?? 0) + 1) };
  return changed;
}
