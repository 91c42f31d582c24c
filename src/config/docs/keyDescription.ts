// Everything that is known about a key, put together from the schema, its documentation, the names
// under which it can be written, and whether it has an effect. For `config --explain` and for
// docs/configuration.md.

import { ignoredKeys } from "../ignoredKeys.ts";
import { allKeys, isOurs, type Key, keysSchema } from "../keys.ts";
import { aliasesOf, environmentName } from "../names.ts";
import { withoutEffect } from "../withoutEffect.ts";
import { clientDocs, daemonDocs } from "./daemonDocs.ts";
import { fleetDocs } from "./fleetDocs.ts";
import type { KeyDoc } from "./keyDoc.ts";
import { leaseDocs, metricsDocs, readingDocs } from "./leaseDocs.ts";
import { ourDocs } from "./ourDocs.ts";

export interface KeyDescription {
  /** Full sentences. */
  readonly meaning: string;
  /** Title and content of each further line. */
  readonly facts: readonly (readonly [title: string, content: string])[];
}

const docs: Readonly<Record<Key, KeyDoc>> = {
  ...daemonDocs,
  ...clientDocs,
  ...leaseDocs,
  ...readingDocs,
  ...metricsDocs,
  ...fleetDocs,
  ...ourDocs,
};

/** The groups in their order, each with its keys. */
export const documentedGroups: readonly (readonly [title: string, keys: readonly Key[]])[] = [
  ["The daemon", keysOf(daemonDocs)],
  ["AWS clients", keysOf(clientDocs)],
  ["Leases", keysOf(leaseDocs)],
  ["Reading", keysOf(readingDocs)],
  ["Metrics", keysOf(metricsDocs)],
  ["KCL 3.x fleets", keysOf(fleetDocs)],
  ["Keys that Java does not know", keysOf(ourDocs)],
];

export function describeKey(key: Key): KeyDescription {
  const { meaning, java } = docs[key];
  const aliases = aliasesOf(key).map((name) => `\`${name}\``);
  const noEffect = withoutEffect(key);
  return {
    meaning,
    facts: [
      ["Value", allowedText(key)],
      ["Default", defaultText(key)],
      ...(noEffect ? [["Effect", capitalized(`${noEffect.message}.`)] as const] : []),
      ["Java", java ?? (isOurs(key) ? "It does not know the key." : "The same.")],
      ...(aliases.length > 0 ? [["Other name", aliases.join(", ")] as const] : []),
      ["Environment", `\`${environmentName(key)}\``],
    ],
  };
}

/** Why a key of the Java daemon does nothing here; `undefined` when it is not such a key. */
export function ignoredReason(key: string): string | undefined {
  const ignored = Object.hasOwn(ignoredKeys, key) ? ignoredKeys[key] : undefined;
  return ignored && `${capitalized(ignored.reason)}.`;
}

const defaults = keysSchema.parse({});

function defaultText(key: Key): string {
  const { absent } = docs[key];
  if (absent !== undefined) return absent;
  const value = defaults[key];
  return `\`${Array.isArray(value) ? value.join(",") : String(value)}\``;
}

/** The phrase with which an error says what is allowed. */
function allowedText(key: Key): string {
  return keysSchema.shape[key].unwrap().description ?? "";
}

function keysOf(group: Readonly<Record<string, KeyDoc>>): readonly Key[] {
  return allKeys.filter((key) => Object.hasOwn(group, key));
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
