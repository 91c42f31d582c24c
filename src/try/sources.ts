// Reads the records of a trial: lines of JSON, plain lines, CSV, or the files of a folder.

import { createReadStream } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { extname, join } from "node:path";
import { z } from "zod";
import { UserError } from "../model/errors.ts";
import { counted } from "../plural.ts";
import { linesOf } from "../transcript/lines.ts";
import { csvRows } from "./csv.ts";

/** A record as the user wrote it. `Sharder` fills in what is absent. */
export interface GivenRecord {
  /** Base64. */
  readonly data: string;
  readonly partitionKey?: string | undefined;
  readonly sequenceNumber?: string | undefined;
  readonly subSequenceNumber?: number | undefined;
  readonly approximateArrivalTimestamp?: number | undefined;
  /** The file and line, for messages. */
  readonly where: string;
}

export const FORMATS = ["ndjson", "lines", "csv", "files"] as const;
export type Format = (typeof FORMATS)[number];
export const ENCODINGS = ["text", "base64"] as const;
export type Encoding = (typeof ENCODINGS)[number];

/** A record of 10 MiB, the largest that Kinesis accepts, has 14 MiB of base64. */
const MAX_LINE_CHARACTERS = 32 * 1024 * 1024;

/**
 * The records of a file, a folder, or STDIN (`-`).
 *
 * @throws UserError with file and line of an invalid record. For the first record of a file it is
 * thrown
 *   at once, before a processor is started.
 */
export async function openRecords(
  path: string,
  format: Format | undefined,
  encoding: Encoding,
): Promise<AsyncGenerator<GivenRecord, void, void>> {
  const records = await recordsAt(path, format, encoding);
  if (path === "-") return records;
  const first = await records.next();
  return first.done ? records : withFirst(first.value, records);
}

async function* withFirst<T>(first: T, others: AsyncGenerator<T, void, void>) {
  yield first;
  yield* others;
}

async function recordsAt(
  path: string,
  format: Format | undefined,
  encoding: Encoding,
): Promise<AsyncGenerator<GivenRecord, void, void>> {
  const isFolder = path !== "-" && (await kind(path)) === "folder";
  const chosen = format ?? (isFolder ? "files" : formatOf(path));
  if (isFolder !== (chosen === "files")) {
    throw new UserError(
      `${path} is ${isFolder ? "a folder" : "not a folder"}, so it cannot be read as ${chosen}`,
    );
  }
  const name = path === "-" ? "STDIN" : path;
  if (chosen === "files") return filesIn(path);
  const input: AsyncIterable<Buffer> = path === "-" ? process.stdin : createReadStream(path);
  switch (chosen) {
    case "ndjson":
      return jsonRecords(input, name);
    case "lines":
      return lineRecords(input, name, encoding);
    case "csv":
      return csvRecords(input, name, encoding);
  }
}

async function kind(path: string): Promise<"file" | "folder"> {
  try {
    return (await stat(path)).isDirectory() ? "folder" : "file";
  } catch (error) {
    throw new UserError(`Cannot read records from ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function formatOf(path: string): Format {
  const ending = extname(path).toLowerCase();
  if (ending === ".ndjson" || ending === ".jsonl") return "ndjson";
  return ending === ".csv" ? "csv" : "lines";
}

const PAYLOAD_FIELDS = ["data", "text", "json"] as const;
const NEEDED = "exactly one of data (base64), text and json is required";

const jsonRecord = z
  .strictObject({
    data: z.base64().optional(),
    text: z.string().optional(),
    json: z.unknown().optional(),
    partitionKey: z.string().optional(),
    sequenceNumber: z.string().regex(/^\d+$/, "decimal digits").optional(),
    subSequenceNumber: z.int().nonnegative().optional(),
    approximateArrivalTimestamp: z.int().optional(),
    // A record as a child reads it has this field: such lines can be pasted.
    action: z.literal("record").optional(),
  })
  .refine(
    (fields) => PAYLOAD_FIELDS.filter((name) => Object.hasOwn(fields, name)).length === 1,
    NEEDED,
  );

const NO_PAYLOAD = `${NEEDED}. If each line is the data of a record, use --format lines`;

function hasPayload(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return PAYLOAD_FIELDS.some((name) => Object.hasOwn(value, name));
}

async function* jsonRecords(input: AsyncIterable<Buffer>, name: string) {
  for await (const { line, where } of numbered(input, name)) {
    if (line.trim() === "") continue;
    const value = parseJson(line, where);
    if (!hasPayload(value)) throw new UserError(`${where}: ${NO_PAYLOAD}`);
    const parsed = jsonRecord.safeParse(value);
    if (!parsed.success) {
      const issues = parsed.error.issues.map(({ path, message }) =>
        path.length > 0 ? `${path.join(".")}: ${message}` : message,
      );
      throw new UserError(`${where}: ${issues.join("; ")}`);
    }
    const { data, text, json, action: _, ...rest } = parsed.data;
    yield { ...rest, data: data ?? base64(text ?? JSON.stringify(json)), where };
  }
}

async function* lineRecords(input: AsyncIterable<Buffer>, name: string, encoding: Encoding) {
  for await (const { line, where } of numbered(input, name)) {
    yield { data: encoded(line, encoding, where), where };
  }
}

/** The first row names the columns. Without a column `data`, a row becomes a JSON object. */
async function* csvRecords(input: AsyncIterable<Buffer>, name: string, encoding: Encoding) {
  let header: readonly string[] | undefined;
  let row = 0;
  for await (const fields of csvRows(linesOf(input, MAX_LINE_CHARACTERS))) {
    const where = `${name}, row ${++row}`;
    if (!header) {
      header = fields.map((field) => field.trim());
      continue;
    }
    if (fields.length === 1 && fields[0] === "") continue;
    if (fields.length !== header.length) {
      throw new UserError(
        `${where}: ${counted(fields.length, "field")}, but the header has ${header.length}`,
      );
    }
    const values = new Map(header.map((column, index) => [column, fields[index] ?? ""]));
    const data = values.get("data");
    yield {
      data:
        data === undefined
          ? base64(JSON.stringify(Object.fromEntries(values)))
          : encoded(data, encoding, where),
      partitionKey: values.get("partitionKey"),
      where,
    };
  }
}

/** Each file is a record, in the order of the names, which are the partition keys. */
async function* filesIn(folder: string) {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isFile()).map(({ name }) => name);
  for (const name of names.sort()) {
    const where = join(folder, name);
    yield {
      data: (await readFile(where)).toString("base64"),
      partitionKey: name.slice(0, 256),
      where,
    };
  }
}

const BYTE_ORDER_MARK = /^\uFEFF/;

async function* numbered(input: AsyncIterable<Buffer>, name: string) {
  let number = 0;
  for await (const line of linesOf(input, MAX_LINE_CHARACTERS)) {
    const where = `${name}:${++number}`;
    const text = number === 1 ? line.replace(BYTE_ORDER_MARK, "") : line;
    if (line.length >= MAX_LINE_CHARACTERS) {
      throw new UserError(`${where}: the line is longer than ${MAX_LINE_CHARACTERS} characters`);
    }
    yield { line: text, where };
  }
}

function parseJson(line: string, where: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw new UserError(`${where}: invalid JSON: ${(error as Error).message}`, { cause: error });
  }
}

function encoded(text: string, encoding: Encoding, where: string): string {
  if (encoding === "text") return base64(text);
  if (z.base64().safeParse(text).success) return text;
  throw new UserError(`${where}: invalid base64: ${text.slice(0, 40)}`);
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
