// Where a new application begins. Two keys set the same thing; when both are written, Java applies
// either of them.

import type { InitialPosition } from "../model/shard.ts";
import type { Given } from "./given.ts";
import type { Key, KeyValues } from "./keys.ts";

interface Message {
  readonly key: Key;
  readonly message: string;
}

interface Decided {
  readonly value?: InitialPosition;
  readonly problem?: Message;
  readonly notice?: Message;
}

const RANK = { default: 0, file: 1, environment: 2, flag: 3 } as const;

export function initialPosition(values: KeyValues, given: ReadonlyMap<Key, Given>): Decided {
  const { initialPositionInStream: type, initialPositionInStreamExtended: timestamp } = values;
  const word = "initialPositionInStream";
  const exact = "initialPositionInStreamExtended";
  if (timestamp === undefined) {
    if (type !== "AT_TIMESTAMP") return { value: { type } };
    if (given.has(exact)) return {};
    return { problem: { key: word, message: `AT_TIMESTAMP needs ${exact} = SECONDS_SINCE_1970` } };
  }
  const value = { type: "AT_TIMESTAMP", timestamp } as const;
  if (type === "AT_TIMESTAMP" || !given.has(word)) return { value };
  const rank = (key: Key) => RANK[given.get(key)?.source.type ?? "default"];
  if (rank(word) > rank(exact)) return { value: { type } };
  if (rank(word) < rank(exact)) return { value };
  return { value, notice: { key: word, message: `${exact} is also set, and is used` } };
}
