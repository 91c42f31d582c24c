// The port to the rows of a lease table, wherever they are stored, and the vocabulary of
// conditional writes. Conditions and changes are data, so that the rules that keep leases exclusive
// (leaseChanges.ts) exist once, for DynamoDB and for a directory.

import type { WriteResult } from "../table.ts";
import type { Item } from "./dynamoItem.ts";

/** What an attribute must be for a write to succeed. */
export type Condition = Item[string] | "absent" | "present";

/** Attribute → condition; all of them must hold. */
export type Conditions = Readonly<Record<string, Condition>>;

/** A conditional update of one row. */
export interface Change {
  readonly when: Conditions;
  readonly set?: Item;
  readonly remove?: readonly string[];
  /** Numbers to raise by one. */
  readonly increment?: readonly string[];
  /**
   * The write shows only that the holder is alive, so a store with a single writer need not make
   * it durable.
   */
  readonly isHeartbeat?: boolean;
}

/** Each call is one attempt and rejects with LeaseTableError, or UserError if no retry can help. */
export interface RowStore {
  readonly name: string;
  /** @param consistent a strongly consistent scan, which costs twice as much in DynamoDB. */
  scan(signal: AbortSignal, consistent?: boolean): Promise<readonly Item[]>;
  /** One row, strongly consistent. */
  get(key: string, signal: AbortSignal): Promise<Item | undefined>;
  /** Creates a row if there is none with its key. */
  insert(row: Item, signal: AbortSignal): Promise<"created" | "exists">;
  update(key: string, change: Change, signal: AbortSignal): Promise<WriteResult>;
  replace(row: Item, when: Conditions, signal: AbortSignal): Promise<WriteResult>;
  delete(key: string, when: Conditions, signal: AbortSignal): Promise<WriteResult>;
}
