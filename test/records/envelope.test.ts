import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EnvelopeWriter } from "../../src/records/kpl/envelope.ts";
import {
  hashKeyOf,
  hashWords,
  parseHashKey,
  wordsOfHashKey,
} from "../../src/records/kpl/hashKey.ts";
import { decodeEnvelope } from "../support/kplEnvelope.ts";

type Record = readonly [key: string, hashKey: string | undefined, data: string];

const NO_LIMIT = 2 ** 31;

function envelopeOf(records: readonly Record[], maxBytes = NO_LIMIT) {
  const writer = new EnvelopeWriter();
  const added = records.map(([key, hashKey, data]) =>
    writer.add(key, hashKey, Buffer.from(data), maxBytes),
  );
  return { writer, added };
}

describe("the KPL's envelope", () => {
  it.each([
    [
      "keys once, in order of first use",
      [
        ["k1", undefined, "A"],
        ["k2", undefined, "BB"],
        ["k1", undefined, ""],
      ],
      "f3899ac20a026b310a026b321a0508001a01411a0608011a0242421a0408001a00d1311328e07ee1ff3588e28927f35888",
    ],
    [
      "explicit hash keys only where the user gave one",
      [
        ["k1", "0", "A"],
        ["k1", undefined, "B"],
      ],
      "f3899ac20a026b311201301a07080010001a01411a0508001a0142ca9cfda7ac65be358eb33ee5d4aa4842",
    ],
  ] as const)("has the bytes of the original: %s", (_, records, hex) => {
    expect(envelopeOf(records).writer.finish().bytes.toString("hex")).toBe(hex);
  });

  it("contains what was added, in order, at the size that it announced", () => {
    const key = fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 });
    const hashKey = fc.option(fc.bigInt(0n, 2n ** 128n - 1n).map(String), { nil: undefined });
    const data = fc.oneof(fc.string({ maxLength: 40 }), fc.constantFrom("x".repeat(20_000), ""));
    fc.assert(
      fc.property(fc.array(fc.tuple(key, hashKey, data), { minLength: 1 }), (records) => {
        const { writer, added } = envelopeOf(records);
        const announced = writer.bytes;
        const { bytes, recordsAt } = writer.finish();
        expect(bytes.length).toBe(announced);
        const decoded = decodeEnvelope(bytes);
        expect(
          decoded?.map((each) => [each.partitionKey, each.explicitHashKey, `${each.data}`]),
        ).toEqual(records);
        records.forEach(([, , text], index) => {
          const at = recordsAt + (added[index] ?? 0);
          expect(bytes.toString("utf8", at, at + Buffer.byteLength(text))).toBe(text);
        });
      }),
    );
  });

  it("never exceeds the limit, except for a single record", () => {
    const sizes = fc.array(fc.nat(600), { minLength: 1 });
    fc.assert(
      fc.property(sizes, fc.integer({ min: 64, max: 1_000 }), (lengths, limit) => {
        const records = lengths.map((n, i) => [`key${i % 7}`, undefined, "x".repeat(n)] as const);
        const { writer, added } = envelopeOf(records, limit);
        const count = added.filter((at) => at >= 0).length;
        expect(count).toBeGreaterThan(0);
        expect(count === 1 || writer.finish().bytes.length <= limit).toBe(true);
      }),
    );
  });
});

describe("hash keys", () => {
  it.each([
    ["k1", 242208671286853988395785178707875403226n],
    ["ключ", 259726384039714788407059515981389908711n],
  ])("hashes %s as the original does", (key, expected) => {
    const words = new Uint32Array(4);
    hashWords(key, words);
    expect(hashKeyOf(words)).toBe(expected);
  });

  it("is the MD5 of any key, as a number", () => {
    const words = new Uint32Array(4);
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", minLength: 1, maxLength: 128 }), (key) => {
        hashWords(key, words);
        const digest = createHash("md5").update(key, "utf8").digest("hex");
        expect(hashKeyOf(words)).toBe(BigInt(`0x${digest}`));
        expect(hashKeyOf(wordsOfHashKey(BigInt(`0x${digest}`)))).toBe(BigInt(`0x${digest}`));
      }),
    );
  });

  it.each([
    ["007", 7n],
    [" 5 ", 5n],
    [String(2n ** 128n - 1n), 2n ** 128n - 1n],
    [String(2n ** 128n), undefined],
    ["-1", undefined],
    ["0x1", undefined],
    ["", undefined],
  ])("reads %j as %s", (text, value) => {
    expect(parseHashKey(text)).toBe(value);
  });
});
