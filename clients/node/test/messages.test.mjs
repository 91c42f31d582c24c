// Checks that a processor receives what JSON.parse makes of each line, however the bytes are split.

import assert from "node:assert/strict";
import { Readable, Writable } from "node:stream";
import test from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { kcl } from "../kcl.mjs";

const ROUNDS = 4_000;
const nothing = () => new Writable({ write: (_chunk, _encoding, done) => done() });

/** What the client reads from the bytes in those pieces. */
async function read(pieces) {
  const given = [];
  const processor = {
    processRecords: ({ records, millisBehindLatest }) =>
      given.push({ records, millisBehindLatest }),
    shardEnded() {},
  };
  try {
    await kcl(processor, Readable.from(pieces), nothing(), nothing()).run();
  } catch {
    given.push("error");
  }
  return given;
}

/** What JSON.parse reads from the whole lines. */
function obvious(text) {
  const given = [];
  for (const line of text.split("\n").filter((part) => part.trim() !== "")) {
    try {
      const message = JSON.parse(line);
      if (message === null || typeof message !== "object") throw new TypeError("no object");
      const { action, records, millisBehindLatest } = message;
      if (action === "processRecords") given.push({ records, millisBehindLatest });
    } catch {
      given.push("error");
      break;
    }
  }
  return given;
}

const below = (limit) => Math.floor(Math.random() * limit);
const one = (...of) => of[below(of.length)];
const many = (most, make) => Array.from({ length: below(most + 1) }, make);

function text() {
  return many(4, () =>
    one("a", "key", '"', "\\", "\u2028", "é", "😀", '},{"', '},{"a":1', "]}"),
  ).join("");
}

function recordJson() {
  const fields = {
    data: Buffer.from(text()).toString("base64"),
    partitionKey: text(),
    sequenceNumber: one("1", null),
    ...(below(4) === 0 && {
      unknown: one([{ a: 1 }, { b: 2 }], { c: [{}, { d: text() }] }, 1e300),
    }),
    subSequenceNumber: 0,
  };
  const record = JSON.stringify(
    Object.fromEntries(Object.entries(fields).sort(() => below(3) - 1)),
  );
  return one(record, record, record, record, record.replaceAll(",", " , "), "7", "null");
}

function line() {
  const records = many(5, recordJson).join(one(",", ",", ",", " , ", ",,"));
  const batch = `"records":[${records}]`;
  return one(
    `{"action":"processRecords",${batch},"millisBehindLatest":5}`,
    `{"action":"processRecords",${batch},"millisBehindLatest":5}`,
    `{"action":"processRecords",${batch}}`,
    `{"action":"processRecords",${batch},"unknown":[{"a":1},{"b":[{},{"c":2}]}]}`,
    `{${batch},"action":"processRecords"}`,
    `{"action":"processRecords","records":[${records}`,
    `{"action":"dance",${batch}}`,
    "",
  );
}

test("reads any lines in any pieces as JSON.parse does", async () => {
  let batches = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const all = Buffer.from(many(3, line).join("\n") + one("\n", ""));
    const pieces = [];
    for (let at = 0; at < all.length; ) {
      const size = 1 + below(one(3, 40, 400));
      pieces.push(all.subarray(at, at + size));
      at += size;
    }
    const wanted = obvious(all.toString());
    batches += wanted.length;
    assert.deepEqual(await read(pieces), wanted, all.toString());
  }
  assert.ok(batches > ROUNDS / 2);
});

test("a batch is freed before the next one is read", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc");
  const batch = `{"action":"processRecords","records":[{"data":"${"A".repeat(40_000)}"},{"data":"B"}]}\n`;
  let last;
  const alive = [];
  async function* input() {
    for (let time = 0; time < 3; time++) {
      yield Buffer.from(batch.slice(0, -10));
      yield Buffer.from(batch.slice(-10));
      await new Promise((resolve) => setImmediate(resolve));
      collect();
      alive.push(last?.deref() !== undefined);
    }
  }
  const processor = {
    processRecords({ records }) {
      last = new WeakRef(records[0]);
    },
    shardEnded() {},
  };
  await kcl(processor, Readable.from(input()), nothing(), nothing()).run();
  assert.deepEqual(alive, [false, false, false]);
});
