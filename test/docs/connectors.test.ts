// docs/connectors.md has every key of a connector, with its default.

import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { connectorKeys, connectorSchema } from "../../src/config/connector/connectorKeys.ts";

const page = readFileSync(new URL("../../docs/connectors.md", import.meta.url), "utf8");
const defaults = new Map(Object.entries(connectorSchema.parse({})));

it.each(connectorKeys)("documents %s with its default", (key) => {
  const [, shown = ""] = new RegExp(`^\\| \`${key}\` \\| (.+?) \\|`, "m").exec(page) ?? [];
  const value = defaults.get(key);
  if (value === undefined) expect(shown).toMatch(/^(none|all|`\w+`)/);
  else if (value === "") expect(shown).toBe("empty");
  else expect(shown).toBe(`\`${value}\``);
});
