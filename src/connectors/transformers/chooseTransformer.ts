// The transformer that the settings name, and the projection of fields after it.

import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { ConnectorValues } from "../../config/connector/connectorKeys.ts";
import { UserError } from "../../model/errors.ts";
import type { Transformer } from "../pipeline.ts";
import { csv } from "./csv.ts";
import { parseFields, project } from "./fields.ts";
import { json, payloadText } from "./json.ts";

type Choice = Pick<ConnectorValues, "transformer" | "csvColumns" | "csvDelimiter" | "fields">;

const BUILT_IN = "json, text, base64, csv, bytes";

/**
 * @param folder where the path of a module begins.
 * @throws UserError when the transformer cannot be used.
 */
export async function chooseTransformer(
  { transformer: name = "json", fields: fieldsText, ...csvValues }: Choice,
  folder: string,
): Promise<Transformer> {
  const transformer = await named(name.trim(), csvValues, folder);
  if (fieldsText === undefined) return transformer;
  const fields = parseFields(fieldsText);
  if (typeof fields === "string") throw new UserError(`fields = ${fieldsText}: ${fields}`);
  return {
    toObjects: (record) =>
      transformer.toObjects(record).map((object) => project(object, record, fields)),
  };
}

async function named(
  name: string,
  { csvColumns, csvDelimiter }: Pick<ConnectorValues, "csvColumns" | "csvDelimiter">,
  folder: string,
): Promise<Transformer> {
  switch (name) {
    case "json":
      return json;
    case "text":
      return { toObjects: ({ data }) => [payloadText(data)] };
    case "base64":
      return { toObjects: ({ data }) => [data] };
    case "bytes":
      return { toObjects: ({ data }) => [Buffer.from(data, "base64")] };
    case "csv":
      if (!csvColumns?.length) {
        throw new UserError("transformer = csv needs csvColumns, the names of the columns");
      }
      return csv(csvColumns, csvDelimiter === "\\t" ? "\t" : (csvDelimiter ?? ","));
    default:
      if (/\.[cm]?js$/.test(name)) return fromModule(resolve(folder, name));
      throw new UserError(
        `transformer = ${name} is unknown; allowed: ${BUILT_IN}, or the path of a module (./my-transformer.mjs)`,
      );
  }
}

/** The module's default export: a transformer, or its function `toObjects`. */
async function fromModule(path: string): Promise<Transformer> {
  let exported: unknown;
  try {
    exported = (await import(pathToFileURL(path).href)).default;
  } catch (cause) {
    throw new UserError(`transformer = ${path} cannot be loaded: ${String(cause)}`, { cause });
  }
  const made = typeof exported === "function" ? { toObjects: exported } : exported;
  if (isTransformer(made)) return made;
  throw new UserError(
    `transformer = ${path} has no default export that is a function (record) => [object, …] or an object with toObjects`,
  );
}

function isTransformer(value: unknown): value is Transformer {
  if (typeof value !== "object" || value === null || !("toObjects" in value)) return false;
  return typeof value.toObjects === "function";
}
