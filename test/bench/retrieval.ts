// The two ways of reading a shard, as a daemon's properties and as a column of a table.

export const RETRIEVALS = ["polling", "fanout"] as const;

export type Retrieval = (typeof RETRIEVALS)[number];

export function retrievalProperties(retrieval: Retrieval): Readonly<Record<string, string>> {
  return { retrievalMode: retrieval === "fanout" ? "FANOUT" : "POLLING" };
}
