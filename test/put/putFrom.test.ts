import { describe, expect, it, onTestFinished } from "vitest";
import { type Clock, systemClock } from "../../src/clock.ts";
import { UserError } from "../../src/model/errors.ts";
import { putFrom } from "../../src/put/putFrom.ts";
import { type PutKinesisOptions, startPutKinesis, userRecords } from "../support/putKinesis.ts";

const SPEED = 20;

/** A clock that is faster than the time. */
const fast: Clock = {
  now: () => systemClock.now(),
  monotonicMs: () => systemClock.monotonicMs() * SPEED,
  sleep: (ms, signal) => systemClock.sleep(ms / SPEED, signal),
};

async function put(
  words: readonly string[],
  options: PutKinesisOptions,
  signal = new AbortController().signal,
) {
  const kinesis = await startPutKinesis(options);
  onTestFinished(kinesis.stop);
  const shown: string[] = [];
  const ended = putFrom({
    streamName: "words",
    endpoint: kinesis.url,
    count: words.length,
    source: { words, periodMs: 0, perRound: words.length, choice: "inOrder" },
    partitionKey: String,
    output: { write: (text) => shown.push(text) },
    clock: fast,
    signal,
  });
  return { ended, kinesis, shown: () => shown.join("") };
}

const throttled = { type: "error", name: "ProvisionedThroughputExceededException" } as const;

describe("putFrom", () => {
  it("puts each word as a Kinesis record of its own, and all in one call", async () => {
    const { ended, kinesis, shown } = await put(["a", "b", "a"], {});
    await ended;
    expect(kinesis.stored.map(({ data }) => String(data))).toEqual(["a", "b", "a"]);
    expect(kinesis.calls()).toBe(1);
    expect(shown()).toMatch(/words: 3 records in .*: a 2, b 1\n$/);
  });

  it("puts refused words again, and counts them", async () => {
    const words = Array.from({ length: 700 }, (_, i) => `w${i}`);
    const { ended, kinesis, shown } = await put(words, {
      before: (call) => (call < 4 ? throttled : undefined),
    });
    await ended;
    const texts = userRecords(kinesis.stored).map(({ data }) => String(data));
    expect(texts.toSorted()).toEqual(words.toSorted());
    expect(shown()).toMatch(/700 records in .*, 50[01] put again\n$/);
  });

  it("gives up on a stream that refuses everything, and says what to do", async () => {
    const { ended } = await put(["a"], { before: () => throttled });
    await expect(ended).rejects.toThrow(UserError);
    await expect(ended).rejects.toThrow(
      /ProvisionedThroughputExceeded.*in the last 30 s.*lower --rate/,
    );
  });

  it("does not give up while some words are stored", async () => {
    const words = Array.from({ length: 3_000 }, (_, i) => `w${i}`);
    const { ended, kinesis } = await put(words, {
      before: async (call) => {
        await systemClock.sleep(300);
        return call % 2 === 0 ? undefined : throttled;
      },
    });
    await ended;
    expect(kinesis.stored).toHaveLength(words.length);
  });

  it("ends at once when a permission is missing", async () => {
    const { ended, kinesis } = await put(["a"], {
      before: () => ({ type: "error", name: "AccessDeniedException", message: "not you" }),
    });
    await expect(ended).rejects.toThrow(/stream words: AccessDeniedException: not you/);
    expect(kinesis.calls()).toBe(1);
  });

  it("ends when it is stopped, although the stream refuses everything", async () => {
    const stop = new AbortController();
    const before = () => {
      stop.abort();
      return throttled;
    };
    const { ended, shown } = await put(["a", "b"], { before }, stop.signal);
    await ended;
    expect(shown()).toMatch(/0 records in .*; 2 not put\n$/);
  });
});
