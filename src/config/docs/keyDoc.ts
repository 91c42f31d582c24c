// The shape of a key's documentation. Type, bounds and default come from the schema in keys.ts;
// here is what a schema cannot say.

import type { KeyGroups, KeyValues } from "../keys.ts";

export interface KeyDoc {
  /** One or two full sentences. */
  readonly meaning: string;
  /** What happens when the key is absent, where that is not a fixed value. */
  readonly absent?: string;
  /** What the Java daemon does differently; not set where it does the same. */
  readonly java?: string;
}

/** A key without a default in the schema must say what its absence means. */
type DocOf<K extends keyof KeyValues> = undefined extends KeyValues[K]
  ? KeyDoc & { readonly absent: string }
  : KeyDoc;

/** The documentation of a group: complete, or it does not compile. */
export type GroupDocs<G extends keyof KeyGroups> = {
  readonly [K in keyof KeyGroups[G] & keyof KeyValues]: DocOf<K>;
};
