// Plays the client's lines of each transcript to the producer. It must answer with the transcript's
// lines, apart from what differs in each run: numbers of the service, and times.

import { readdirSync, readFileSync } from "node:fs";
import { PassThrough } from "node:stream";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ProducerCore } from "../../src/producer/core.ts";
import { clientMessage, producerMessage } from "../../src/producer/protocol/messages.ts";
import { readPut } from "../../src/producer/protocol/readPut.ts";
import { Session } from "../../src/producer/protocol/session.ts";
import { DEFAULT_SETTINGS } from "../../src/producer/settings.ts";
import { randomFrom, StreamModel, VirtualClock } from "./serviceModel.ts";

const FOLDER = new URL("../../protocol/producer-transcripts/", import.meta.url);
const specification = readFileSync(new URL("../producer.md", FOLDER), "utf8");
const transcripts = readdirSync(FOLDER).map(
  (file) => [file.replace(".txt", ""), readFileSync(new URL(file, FOLDER), "utf8")] as const,
);
const linesOf = (text: string, mark: string) =>
  text.split("\n").flatMap((line) => (line.startsWith(`${mark} `) ? [line.slice(2)] : []));

/** What the producer answers to the lines of a client that then closes. */
async function answersTo(lines: readonly string[]): Promise<string[]> {
  const clock = new VirtualClock();
  const random = randomFrom(1);
  const model = new StreamModel({ clock, random, shards: 1, latencyMs: 10 });
  const settings = DEFAULT_SETTINGS;
  const core = new ProducerCore({ settings, callsOf: () => model, clock, emit: () => {}, random });
  const [input, output] = [new PassThrough(), new PassThrough()];
  const { maxInFlightBytes, closeTimeoutMillis: closeTimeoutMs } = settings;
  const rest = { stream: "words", maxInFlightBytes, closeTimeoutMs, keepsOnDisk: false };
  const session = new Session({ core, clock, emit: () => {}, input, output, ...rest });
  const never = new AbortController().signal;
  input.end(lines.join("\n"));
  await clock.until(session.run(never));
  await clock.until(core.close());
  return String(output.read()).split("\n").filter(Boolean);
}

/** The same for every run. */
function comparable(line: string): unknown {
  return JSON.parse(line, (name, value) =>
    ["sequenceNumber", "delay", "duration"].includes(name) ? `a ${typeof value}` : value,
  );
}

describe.each(transcripts)("the transcript %s", (name, text) => {
  it("is what the producer answers", async () => {
    const answers = await answersTo(linesOf(text, ">"));
    expect(answers.map(comparable)).toEqual(linesOf(text, "<").map(comparable));
  });

  it("is named by the first sentence that it shows, and has messages of the schemas", () => {
    const first = /^# sentence: ([A-Z]\d+)/m.exec(text)?.[1] ?? "";
    const sentence = specification
      .split(/^- (?=\*\*)/m)
      .find((each) => each.startsWith(`**${first}.**`));
    expect(sentence).toContain(`\`${name}\``);
    for (const line of linesOf(text, "<")) producerMessage.parse(JSON.parse(line));
  });
});

it("the specification names only transcripts that exist", () => {
  const named = [...specification.matchAll(/→ ((?:`[a-z0-9-]+`,?\s*)+)/g)].flatMap(
    ([, list = ""]) => [...list.matchAll(/`([a-z0-9-]+)`/g)].map(([, name]) => name),
  );
  expect(new Set(named)).toEqual(new Set(transcripts.map(([name]) => name)));
});

it("numbers its sentences without gaps", () => {
  const numbers = [...specification.matchAll(/^- \*\*([A-Z])(\d+)\.\*\*/gm)];
  const counts = new Map<string, number>();
  for (const [, letter = "", number] of numbers) {
    counts.set(letter, (counts.get(letter) ?? 0) + 1);
    expect(Number(number)).toBe(counts.get(letter));
  }
  expect([...counts.keys()].join("")).toBe("TSPRBFENH");
});

it("reads a put by hand as the schema does", () => {
  const text = fc.oneof(fc.string(), fc.constantFrom("QUI=", "", "QQ=="));
  const value = fc.oneof(text, fc.integer(), fc.constant(null), fc.boolean());
  const optional = fc.option(value, { nil: undefined });
  const message = fc.record({
    id: optional,
    stream: optional,
    partitionKey: value,
    explicitHashKey: optional,
    data: optional,
  });
  fc.assert(
    fc.property(message, (fields) => {
      const given = Object.fromEntries(
        Object.entries(fields).filter(([, each]) => each !== undefined),
      );
      const read = readPut(given);
      // The schema cannot say that data is base64, and that there is one payload.
      if (typeof read !== "string")
        expect(clientMessage.safeParse({ action: "put", ...given }).success).toBe(true);
      else if (!/base64|exactly one/.test(read)) {
        expect(clientMessage.safeParse({ action: "put", ...given }).success).toBe(false);
      }
    }),
  );
});
