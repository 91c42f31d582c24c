// Records from files of every form, and what is said of files that are not.

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { csvRows } from "../../src/try/csv.ts";
import { Sharder } from "../../src/try/shardRecords.ts";
import { type Encoding, type Format, openRecords } from "../../src/try/sources.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sources-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function read(name: string, text: string, encoding: Encoding = "text", format?: Format) {
  const path = join(folder, name);
  await writeFile(path, text);
  return collect(path, encoding, format);
}

async function collect(path: string, encoding: Encoding, format?: Format) {
  const records = [];
  for await (const { data, where, ...rest } of await openRecords(path, format, encoding)) {
    records.push({ text: Buffer.from(data, "base64").toString(), ...rest });
  }
  return records;
}

describe("records from", () => {
  it.each([
    ["lines", "b.txt", "\uFEFFcat\ndog"],
    ["NDJSON", "b.ndjson", `\uFEFF{"text":"cat"}\n{"text":"dog"}`],
    ["CSV", "b.csv", "\uFEFFdata\ncat\ndog"],
  ])("%s with a byte order mark", async (_format, name, text) => {
    const words = (await read(name, text)).map((record) => record.text);
    expect(words).toEqual(["cat", "dog"]);
  });

  it("NDJSON", async () => {
    const text = `{"text":"cät"}
{"data":"AAEC","partitionKey":"k","sequenceNumber":"0012","subSequenceNumber":3,"approximateArrivalTimestamp":5,"action":"record"}

{"json":{"a":[1]}}`;
    expect(await read("a.ndjson", text)).toEqual([
      { text: "cät" },
      {
        text: "\0\x01\x02",
        partitionKey: "k",
        sequenceNumber: "0012",
        subSequenceNumber: 3,
        approximateArrivalTimestamp: 5,
      },
      { text: '{"a":[1]}' },
    ]);
  });

  it("plain lines, including blank lines and CR LF", async () => {
    expect(await read("a.txt", "one\r\n\ntwo words")).toEqual([
      { text: "one" },
      { text: "" },
      { text: "two words" },
    ]);
    expect(await read("b.txt", "Y2F0\n", "base64")).toEqual([{ text: "cat" }]);
  });

  it("CSV, as objects or from its column data", async () => {
    const csv = 'name,words\ncat,"a ""b"", c\nd"\n\ndog,\n';
    expect(await read("a.csv", csv)).toEqual([
      { text: JSON.stringify({ name: "cat", words: 'a "b", c\nd' }), partitionKey: undefined },
      { text: JSON.stringify({ name: "dog", words: "" }), partitionKey: undefined },
    ]);
    expect(await read("b.csv", "partitionKey,data\nk,Y2F0\n", "base64")).toEqual([
      { text: "cat", partitionKey: "k" },
    ]);
  });

  it("the files of a folder", async () => {
    const files = join(folder, "files");
    await mkdir(join(files, "sub"), { recursive: true });
    await writeFile(join(files, "b"), "two");
    await writeFile(join(files, "a"), "one");
    expect(await collect(files, "text")).toEqual([
      { text: "one", partitionKey: "a" },
      { text: "two", partitionKey: "b" },
    ]);
  });
});

describe("an invalid record is reported", () => {
  it.each([
    ["x.ndjson", '{"text":"a"}\n{"text":', "x.ndjson:2: invalid JSON"],
    [
      "x.ndjson",
      '{"text":"a","data":"AA=="}',
      "x.ndjson:1: exactly one of data (base64), text and json",
    ],
    ["x.ndjson", '{"partitionKey":"a"}', "x.ndjson:1: exactly one of data"],
    ["x.ndjson", '{"data":"no base64"}', "x.ndjson:1: data:"],
    ["x.ndjson", '{"text":"a","key":"b"}', '"key"'],
    ["x.ndjson", '{"text":"a","sequenceNumber":"LATEST"}', "sequenceNumber: decimal digits"],
    ["x.csv", "a,b\n1\n", "x.csv, row 2: 1 field, but the header has 2"],
    ["x.csv", 'a\n"open\n', "never closed"],
  ])("is refused with its place: %s %j", async (name, text, message) => {
    await expect(read(name, text)).rejects.toThrow(message);
  });

  it("invalid base64", async () => {
    await expect(read("x.txt", "cat!", "base64")).rejects.toThrow("x.txt:1: invalid base64: cat!");
  });

  it("a missing file, and a folder that is read as a file", async () => {
    await expect(collect(join(folder, "nope"), "text")).rejects.toThrow("Cannot read records from");
    await expect(collect(folder, "text", "csv")).rejects.toThrow(
      "is a folder, so it cannot be read as csv",
    );
  });
});

it("reads back CSV that was written by RFC 4180", async () => {
  const field = fc.stringMatching(/^[a",\n ]{0,6}$/);
  const row = fc.array(field, { minLength: 2, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(fc.array(row, { maxLength: 4 }), async (rows) => {
      const quoted = (text: string) =>
        /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
      const text = rows.map((fields) => fields.map(quoted).join(",")).join("\n");
      async function* lines() {
        if (rows.length > 0) yield* text.split("\n");
      }
      const back = [];
      for await (const fields of csvRows(lines())) back.push(fields);
      expect(back).toEqual(rows);
    }),
  );
});

describe("Sharder", () => {
  it("distributes keys as Kinesis does, and numbers the records of each shard upwards", () => {
    const sharder = new Sharder(4);
    const last = new Map<number, bigint>();
    for (let i = 0; i < 400; i++) {
      const { shard, json } = sharder.take({ data: "", where: "x" }, 7);
      const { sequenceNumber } = JSON.parse(json) as { sequenceNumber: string };
      expect(BigInt(sequenceNumber)).toBeGreaterThan(last.get(shard) ?? 0n);
      expect(sequenceNumber).toHaveLength(56);
      last.set(shard, BigInt(sequenceNumber));
    }
    expect([...last.keys()].sort()).toEqual([0, 1, 2, 3]);
  });

  it("keeps given sequence numbers if they increase", () => {
    const sharder = new Sharder(1);
    const give = (sequenceNumber: string, subSequenceNumber: number) =>
      sharder.take({ data: "", sequenceNumber, subSequenceNumber, where: "f:3" }, 7).json;
    expect(give("12", 0)).toContain('"sequenceNumber":"12"');
    expect(give("12", 1)).toContain('"subSequenceNumber":1');
    expect(() => give("12", 1)).toThrow(
      "f:3: sequence number 12 (sub-sequence number 1) does not come after 12 (1)",
    );
  });

  it("escapes the characters at which some readers end a line", () => {
    const { json } = new Sharder(1).take({ data: "", partitionKey: "a\u2028b", where: "x" }, 7);
    expect(json).not.toContain("\u2028");
    expect(JSON.parse(json)).toMatchObject({ partitionKey: "a\u2028b" });
  });
});
