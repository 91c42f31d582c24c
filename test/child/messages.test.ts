// The lines to a child, and the interpretation of its lines.

import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  type ChildMessage,
  childMessage,
  daemonMessage,
  initializeLine,
  processRecordsLine,
  toLine,
} from "../../src/child/messages.ts";
import { readLine } from "../../src/child/readLine.ts";
import type { SequenceNumber } from "../../src/model/position.ts";
import { batchOf, record } from "./support.ts";

const text = (pieces: readonly Buffer[]) => Buffer.concat(pieces).toString();

describe("lines to a child", () => {
  const at = { sequenceNumber: "42" as SequenceNumber, subSequenceNumber: 7 };

  // Character for character as the Java daemon writes them.
  it.each([
    [
      initializeLine("shardId-000000000000", {
        sequenceNumber: "TRIM_HORIZON",
        subSequenceNumber: 0,
      }),
      '{"action":"initialize","shardId":"shardId-000000000000","sequenceNumber":"TRIM_HORIZON","subSequenceNumber":0}',
    ],
    [
      initializeLine("shardId-000000000003", at),
      '{"action":"initialize","shardId":"shardId-000000000003","sequenceNumber":"42","subSequenceNumber":7}',
    ],
    [
      toLine({ action: "checkpoint", sequenceNumber: null, subSequenceNumber: null, error: null }),
      '{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null,"error":null}',
    ],
    [
      toLine({
        action: "checkpoint",
        sequenceNumber: "1",
        subSequenceNumber: 2,
        error: "ShutdownException",
      }),
      '{"action":"checkpoint","sequenceNumber":"1","subSequenceNumber":2,"error":"ShutdownException"}',
    ],
    [toLine({ action: "leaseLost" }), '{"action":"leaseLost"}'],
    [toLine({ action: "shardEnded" }), '{"action":"shardEnded"}'],
    [toLine({ action: "shutdownRequested" }), '{"action":"shutdownRequested"}'],
  ])("%s", (line, expected) => {
    expect(line.toString()).toBe(`${expected}\n`);
    expect(daemonMessage.parse(JSON.parse(expected))).toEqual(JSON.parse(expected));
  });

  it("carry a batch without copying its records", () => {
    const batch = batchOf([record(1), record(2), record(3)]).slice(1);
    const pieces = processRecordsLine(batch, 1500);
    expect(text(pieces)).toBe(
      `{"action":"processRecords","records":[${record(2)},${record(3)}],"millisBehindLatest":1500}\n`,
    );
    expect(daemonMessage.parse(JSON.parse(text(pieces)))).toEqual(JSON.parse(text(pieces)));
    expect(pieces[1]?.buffer).toBe(batch.pieces[0]?.buffer);
    expect(text(processRecordsLine(batchOf([]), undefined))).toBe(
      '{"action":"processRecords","records":[],"millisBehindLatest":null}\n',
    );
  });

  it("never contain a Unicode line separator", () => {
    const line = toLine({
      action: "checkpoint",
      sequenceNumber: "a\u2028b\u2029c\n",
      subSequenceNumber: null,
      error: null,
    }).toString();
    expect(line).toContain('"a\\u2028b\\u2029c\\n"');
    expect(JSON.parse(line).sequenceNumber).toBe("a\u2028b\u2029c\n");
  });
});

describe("lines from a child", () => {
  const BIG = "49680494222580499013933217474292060169931844431902670850";

  const understood: [line: string, message: ChildMessage, unknownKeys?: string[]][] = [
    ['{"action":"status","responseFor":"x"}', { action: "status", responseFor: "x" }],
    [' \t{ "responseFor" : "x" , "action" : "status" }  ', { action: "status", responseFor: "x" }],
    ['{"action":"status","responseFor":"x"} and more', { action: "status", responseFor: "x" }],
    [
      '{"action":"status","responseFor":"x"}{"action":"status"}',
      { action: "status", responseFor: "x" },
    ],
    ['{"action":"status","responseFor":"}\\"{"}', { action: "status", responseFor: '}"{' }],
    ['{"action":"status"}', { action: "status", responseFor: "null" }],
    ['{"action":"status","responseFor":null}', { action: "status", responseFor: "null" }],
    ['{"action":"status","responseFor":12}', { action: "status", responseFor: "12" }],
    ['{"action":"status","responseFor":true}', { action: "status", responseFor: "true" }],
    [
      '{"action":"status","responseFor":"x","a":1,"b":{}}',
      { action: "status", responseFor: "x" },
      ["a", "b"],
    ],
    ['{"action":"checkpoint"}', { action: "checkpoint" }],
    [
      '{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null,"error":"x"}',
      { action: "checkpoint", sequenceNumber: null, subSequenceNumber: null },
    ],
    [
      '{"action":"checkpoint","sequenceNumber":"1","subSequenceNumber":2}',
      { action: "checkpoint", sequenceNumber: "1", subSequenceNumber: 2 },
    ],
    [
      `{"action":"checkpoint","sequenceNumber":${BIG}}`,
      { action: "checkpoint", sequenceNumber: BIG },
    ],
    [
      `{"x":{"sequenceNumber":1},"action":"checkpoint","y":"\\"sequenceNumber\\":2","sequenceNumber":${BIG}}`,
      { action: "checkpoint", sequenceNumber: BIG },
      ["x", "y"],
    ],
    [
      '{"action":"checkpoint","sequenceNumber":1e3}',
      { action: "checkpoint", sequenceNumber: "1e3" },
    ],
    [
      '{"action":"checkpoint","sequenceNumber":-5.0}',
      { action: "checkpoint", sequenceNumber: "-5.0" },
    ],
    [
      '{"action":"checkpoint","sequenceNumber":true}',
      { action: "checkpoint", sequenceNumber: "true" },
    ],
    ['{"action":"checkpoint","sequenceNumber":""}', { action: "checkpoint", sequenceNumber: "" }],
    [
      '{"action":"checkpoint","subSequenceNumber":"7"}',
      { action: "checkpoint", subSequenceNumber: 7 },
    ],
    [
      '{"action":"checkpoint","subSequenceNumber":1.9}',
      { action: "checkpoint", subSequenceNumber: 1 },
    ],
    [
      '{"action":"checkpoint","subSequenceNumber":-1}',
      { action: "checkpoint", subSequenceNumber: -1 },
    ],
    [
      '{"action":"checkpoint","subSequenceNumber":""}',
      { action: "checkpoint", subSequenceNumber: null },
    ],
    ['{"action":"checkpoint","checkpoint":"123"}', { action: "checkpoint", sequenceNumber: "123" }],
    ['{"action":"checkpoint","checkpoint":123}', { action: "checkpoint", sequenceNumber: "123" }],
    [
      '{"action":"checkpoint","sequenceNumber":"1","sequenceNumber":"2"}',
      { action: "checkpoint", sequenceNumber: "2" },
    ],
    ['{"action":"log","message":"hi"}', { action: "log", level: "info", message: "hi" }],
    [
      '{"action":"log","level":"ERROR","message":{"a":1}}',
      { action: "log", level: "error", message: '{"a":1}' },
    ],
    ['{"action":"log","level":"loud"}', { action: "log", level: "info", message: "" }],
  ];

  it.each(understood)("%s", (line, message, unknownKeys = []) => {
    expect(readLine(line)).toMatchObject({ type: "message", message, unknownKeys });
  });

  it.each([
    "",
    "hello",
    "null",
    "[]",
    "42",
    '"text"',
    "x{}",
    "   ",
    "my action: status",
    '{"action":"dance"',
    "{'action':'dance'}",
    '{"a":"\n"}',
    "{".repeat(100_000),
  ])("%j is none", (line) => {
    expect(readLine(line)).toEqual({ type: line === "" ? "blank" : "junk" });
  });

  it.each([
    ['INFO root: {"action": "status", "responseFor": "initialize"}', /"INFO root:".*a logger/],
    ['\ufeffINFO {"action":"checkpoint"}', /after other text \("INFO"\)/],
    ["{'action':'status'}", /single quotes/],
    ['"{\\"action\\":\\"status\\",\\"responseFor\\":\\"initialize\\"}"', /encoded twice/],
    ['[{"action":"status","responseFor":"initialize"}]', /a list of messages/],
    ['  "action": "status",', /spread over several lines/],
    ['{"action":"status","responseFor":"x"', /not valid JSON/],
    ['{"action":"status",}', /not valid JSON/],
  ])("%s is no message, but looks like one", (line, looksLike) => {
    expect(readLine(line)).toEqual({ type: "junk", looksLike: expect.stringMatching(looksLike) });
  });

  it.each(understood)("after a byte order mark, %s", (line, message, unknownKeys = []) => {
    expect(readLine(`\ufeff${line}`)).toMatchObject({ type: "message", message, unknownKeys });
  });

  it.each([
    ["{}", "it has no action"],
    ["\ufeff{}", "it has no action"],
    ['{"action":null}', "it has no action"],
    ['{"action":"Status","responseFor":"x"}', 'no child sends the action "Status"'],
    ['{"action":"initialize"}', 'no child sends the action "initialize"'],
    ['{"action":"__proto__"}', 'no child sends the action "__proto__"'],
    ['{"action":"status","responseFor":{}}', "responseFor: "],
    ['{"action":"checkpoint","sequenceNumber":[]}', "sequenceNumber: "],
    ['{"action":"checkpoint","subSequenceNumber":"abc"}', "subSequenceNumber: "],
    ['{"action":"checkpoint","subSequenceNumber":true}', "subSequenceNumber: "],
    ['{"action":"checkpoint","subSequenceNumber":1e400}', "subSequenceNumber: "],
  ])("%s is not for us", (line, why) => {
    expect(readLine(line)).toEqual({ type: "notForUs", why: expect.stringContaining(why) });
  });
});

it("can be published as JSON Schemas", () => {
  const fromDaemon = JSON.stringify(z.toJSONSchema(daemonMessage));
  const fromChild = JSON.stringify(z.toJSONSchema(childMessage));
  for (const action of ["initialize", "processRecords", "checkpoint", "leaseLost", "shardEnded"]) {
    expect(fromDaemon).toContain(`"const":"${action}"`);
  }
  for (const action of ["status", "checkpoint", "log"]) {
    expect(fromChild).toContain(`"const":"${action}"`);
  }
});
