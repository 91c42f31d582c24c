// Conditions and changes in DynamoDB's expression syntax. An attribute that is not KCL's has a
// placeholder, because its name may be a reserved word of DynamoDB.

import { ATTRIBUTES, type Item } from "./dynamoItem.ts";
import type { Change, Conditions } from "./rowStore.ts";

interface Placeholders {
  readonly ExpressionAttributeNames?: Record<string, string>;
  readonly ExpressionAttributeValues?: Item;
}

export interface ConditionExpression extends Placeholders {
  readonly ConditionExpression: string;
}

export interface UpdateExpression extends ConditionExpression {
  readonly UpdateExpression: string;
}

export function conditionExpression(when: Conditions): ConditionExpression {
  const names = new Names();
  return { ConditionExpression: conditionText(when, names), ...names.placeholders() };
}

export function updateExpression({
  when,
  set = {},
  remove = [],
  increment = [],
}: Change): UpdateExpression {
  const names = new Names();
  const sets = Object.entries(set).map(([name, v]) => `${names.of(name)} = ${names.value(v)}`);
  const adds = increment.map((name) => `${names.of(name)} ${names.value({ N: "1" })}`);
  const clauses = [
    clause("SET", sets),
    clause(
      "REMOVE",
      remove.map((name) => names.of(name)),
    ),
    clause("ADD", adds),
  ];
  return {
    ConditionExpression: conditionText(when, names),
    UpdateExpression: clauses.filter((text) => text !== "").join(" "),
    ...names.placeholders(),
  };
}

function clause(word: string, parts: readonly string[]): string {
  return parts.length === 0 ? "" : `${word} ${parts.join(", ")}`;
}

function conditionText(when: Conditions, names: Names): string {
  const parts = Object.entries(when).map(([name, condition]) => {
    if (condition === "absent") return `attribute_not_exists(${names.of(name)})`;
    if (condition === "present") return `attribute_exists(${names.of(name)})`;
    return `${names.of(name)} = ${names.value(condition)}`;
  });
  return parts.join(" AND ");
}

const KNOWN: ReadonlySet<string> = new Set(Object.values(ATTRIBUTES));

class Names {
  readonly #names = new Map<string, string>();
  readonly #values: Item = {};

  of(attribute: string): string {
    if (KNOWN.has(attribute)) return attribute;
    const known = this.#names.get(attribute) ?? `#n${this.#names.size}`;
    this.#names.set(attribute, known);
    return known;
  }

  value(value: Item[string]): string {
    const placeholder = `:v${Object.keys(this.#values).length}`;
    this.#values[placeholder] = value;
    return placeholder;
  }

  placeholders(): Placeholders {
    const names = [...this.#names].map(([attribute, placeholder]) => [placeholder, attribute]);
    return {
      ...(names.length > 0 && { ExpressionAttributeNames: Object.fromEntries(names) }),
      ...(Object.keys(this.#values).length > 0 && { ExpressionAttributeValues: this.#values }),
    };
  }
}
