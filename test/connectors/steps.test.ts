// Transformer, fields, filter and format: what one record becomes.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { connectorSchema } from "../../src/config/connector/connectorKeys.ts";
import { expressionFilter } from "../../src/connectors/filter.ts";
import { chooseFormat } from "../../src/connectors/formats.ts";
import { prepare } from "../../src/connectors/prepare.ts";
import { chooseTransformer } from "../../src/connectors/transformers/chooseTransformer.ts";
import { temporaryFolder } from "../support/daemon.ts";

const record = (payload: string | Buffer) => ({
  shardId: "shardId-000000000001",
  sequenceNumber: "123",
  subSequenceNumber: 4,
  partitionKey: "pets",
  approximateArrivalTimestamp: Date.UTC(2026, 0, 2),
  data: Buffer.from(payload).toString("base64"),
});

/** The lines that a payload becomes, or the reason why it cannot. */
async function linesOf(
  payload: string | Buffer,
  properties: Readonly<Record<string, string>>,
  folder = ".",
): Promise<readonly string[] | string> {
  const values = connectorSchema.parse(properties);
  const encode = chooseFormat(values);
  const prepared = prepare(record(payload), {
    transformer: await chooseTransformer(values, folder),
    filter: values.filter === undefined ? undefined : await expressionFilter(values.filter),
    emitter: { toItem: (object, from) => ({ record: from, bytes: 1, text: encode(object) }) },
  });
  if ("refusal" in prepared) return prepared.refusal.reason;
  return prepared.items.map(({ text }) => text.toString("latin1"));
}

describe("a record", () => {
  it.each([
    ['{"a":\n 1}', {}, ['{"a":1}\n']],
    ["cat dog", { transformer: "text" }, ["cat dog\n"]],
    ["cat", { transformer: "base64" }, ["Y2F0\n"]],
    ["cat", { transformer: "bytes", format: "raw" }, ["cat"]],
    ["cat", { transformer: "text", format: "length-prefixed" }, ["\0\0\0\x03cat"]],
    [
      "1;'x'",
      { transformer: "csv", csvColumns: "a b", csvDelimiter: ";" },
      [`{"a":"1","b":"'x'"}\n`],
    ],
    [
      '"a ""b"", c",2',
      { transformer: "csv", csvColumns: "a,b" },
      ['{"a":"a \\"b\\", c","b":"2"}\n'],
    ],
    ['{"a":"x, y","b":{"c":1}}', { format: "csv", csvColumns: "b,a,z" }, ['"{""c"":1}","x, y",\n']],
    [
      '{"id":7,"user":{"name":"ann"}}',
      { fields: "user.name as who, id, @partitionKey as key, @sequenceNumber, nothing" },
      ['{"who":"ann","id":7,"key":"pets","sequenceNumber":"123"}\n'],
    ],
    ['{"n":5}', { filter: "object.n > 3 && partitionKey == 'pets'" }, ['{"n":5}\n']],
    ['{"n":3}', { filter: "object.n > 3" }, []],
    ['{"n":3}', { filter: "arrival < timestamp('2026-01-03T00:00:00Z')" }, ['{"n":3}\n']],
  ] as const)("%s with %o becomes %o", async (payload, properties, expected) => {
    expect(await linesOf(payload, properties)).toEqual(expected);
  });

  it.each([
    ["not json", {}, /not valid JSON/],
    ["1,2,3", { transformer: "csv", csvColumns: "a,b" }, /found 3 columns, but csvColumns names 2/],
    ["cat", { transformer: "text", format: "csv", csvColumns: "a" }, /needs objects/],
    ["{}", { filter: "object.n > 3" }, /the filter cannot be evaluated: No such key: n/],
    ["{}", { filter: "partitionKey" }, /neither true nor false/],
  ] as const)("%s with %o cannot be written", async (payload, properties, reason) => {
    expect(await linesOf(payload, properties)).toMatch(reason);
  });

  it("goes through a transformer of the user", async () => {
    const folder = await temporaryFolder();
    const text = 'export default ({ data }) => atob(data).split(" ").map((word) => ({ word }));';
    await writeFile(join(folder, "words.mjs"), text);
    const lines = await linesOf("cat dog", { transformer: "./words.mjs" }, folder);
    expect(lines).toEqual(['{"word":"cat"}\n', '{"word":"dog"}\n']);
  });
});

describe("a setting that cannot work", () => {
  it.each([
    [{ filter: "object.n >" }, /not a valid expression/],
    [{ filter: "unknown == 1" }, /Unknown variable: unknown.*Variables: object/],
    [{ fields: "a b c" }, /"a b c" is not a field; write PATH, or PATH as NAME/],
    [{ fields: "@nothing" }, /@nothing is unknown; allowed: @partitionKey/],
    [{ transformer: "xml" }, /transformer = xml is unknown; allowed: json, text/],
    [{ transformer: "./missing.mjs" }, /cannot be loaded/],
    [{ transformer: "csv" }, /needs csvColumns/],
    [{ format: "csv" }, /needs csvColumns/],
  ] as const)("%o is refused", async (properties, message) => {
    await expect(linesOf("{}", properties)).rejects.toThrow(message);
  });
});
