import { Readable } from "node:stream";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Clock } from "../../src/clock.ts";
import { UserError } from "../../src/model/errors.ts";
import { type Lines, pacedLines, type Rounds, rounds } from "../../src/put/sources.ts";

/** A clock that advances only during a sleep. */
function sleepingClock(): Clock {
  let ms = 0;
  return {
    now: () => ms,
    monotonicMs: () => ms,
    sleep: async (length) => {
      ms += length;
    },
  };
}

async function firstRounds(config: Rounds, count: number) {
  const stop = new AbortController();
  const clock = sleepingClock();
  const found: { atMs: number; words: string[] }[] = [];
  for await (const batch of rounds(config, clock, stop.signal)) {
    found.push({ atMs: clock.monotonicMs(), words: batch.map(String) });
    if (found.length === count) stop.abort();
  }
  return found;
}

describe("rounds", () => {
  it("repeats the list in order", async () => {
    const config = {
      words: ["a", "b", "c"],
      periodMs: 10,
      perRound: 2,
      choice: "inOrder",
    } as const;
    expect(await firstRounds(config, 3)).toEqual([
      { atMs: 0, words: ["a", "b"] },
      { atMs: 10, words: ["c", "a"] },
      { atMs: 20, words: ["b", "c"] },
    ]);
  });

  it("keeps a rate that is not a whole number per round", async () => {
    const config = { words: ["a"], periodMs: 100, perRound: 0.4, choice: "random" } as const;
    const found = await firstRounds(config, 4);
    expect(found.map(({ atMs }) => atMs)).toEqual([200, 400, 700, 900]);
  });

  it("draws only from the given words, and each of them", async () => {
    const config = { words: ["a", "b"], periodMs: 0, perRound: 100, choice: "random" } as const;
    const [round] = await firstRounds(config, 1);
    expect(new Set(round?.words)).toEqual(new Set(["a", "b"]));
  });
});

async function linesIn(chunks: readonly Uint8Array[], options: Omit<Lines, "input"> = {}) {
  const input = Readable.from(chunks, { objectMode: false });
  const found: Buffer[] = [];
  const never = new AbortController().signal;
  const clock = sleepingClock();
  for await (const lines of pacedLines({ input, ...options }, clock, never)) found.push(...lines);
  return { lines: found, elapsedMs: clock.monotonicMs() };
}

describe("pacedLines", () => {
  it("finds the same lines however the bytes are cut into chunks", async () => {
    const text = fc.string({
      unit: fc.constantFrom("a", "\n", "\r\n", "é", "\u2028"),
      maxLength: 30,
    });
    const cuts = fc.array(fc.nat(40), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(text, cuts, async (whole, places) => {
        const bytes = Buffer.from(whole);
        const ends = [...places.filter((place) => place < bytes.length), bytes.length].sort(
          (a, b) => a - b,
        );
        const chunks = ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end));
        const { lines } = await linesIn(chunks);
        expect(lines.map(String)).toEqual(whole.split(/\r?\n/).filter((line) => line !== ""));
      }),
    );
  });

  it("keeps bytes that are not text", async () => {
    const { lines } = await linesIn([Buffer.from([0xff, 0x00, 0x0a, 0xc3])]);
    expect(lines).toEqual([Buffer.from([0xff, 0x00]), Buffer.from([0xc3])]);
  });

  it("spreads many lines over the time that the rate requires", async () => {
    const { lines, elapsedMs } = await linesIn([Buffer.from("x\n".repeat(500))], { rate: 100 });
    expect(lines).toHaveLength(500);
    expect(elapsedMs).toBeCloseTo(5_000);
  });

  it("refuses a line that is too long for a record, and names its number", async () => {
    const long = Buffer.alloc(11 * 1024 * 1024, "x");
    await expect(linesIn([Buffer.from("short\n"), long])).rejects.toThrow(UserError);
    await expect(linesIn([Buffer.from("short\n"), long])).rejects.toThrow(/^Line 2 /);
  });
});
