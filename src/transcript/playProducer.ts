// Plays the client's part of a transcript to a producer and checks what it answers. What differs
// from one producer or run to the next is only checked for its form: the limits in `ready`, places
// and times in results, and the texts of errors. Results may come in any order, and credit in any
// portions.

import { isDeepStrictEqual } from "node:util";
import { producerMessage } from "../producer/protocol/messages.ts";
import { Candidate } from "./candidate.ts";
import { DEFAULT_STEP_LIMIT_MS, type PlayResult } from "./playClient.ts";
import type { ProducerTranscript } from "./producerTranscript.ts";

export interface ProducerPlayOptions {
  readonly argv: readonly string[];
  /** Of a Kinesis with a stream for the records. */
  readonly endpoint: string;
  readonly stepLimitMs?: number;
  readonly env?: NodeJS.ProcessEnv;
}

interface Fault {
  readonly sentence: string;
  readonly expected: string;
  readonly came: string;
}

type Message = Readonly<Record<string, unknown>>;

/** With what the SDK of any language finds the endpoint. It checks no signature. */
const ENVIRONMENT = {
  AWS_REGION: "us-east-1",
  AWS_ACCESS_KEY_ID: "conformance",
  AWS_SECRET_ACCESS_KEY: "conformance",
};

/**
 * Starts the producer and plays one transcript.
 *
 * @throws UserError only when the command cannot be started.
 */
export async function playProducer(
  transcript: ProducerTranscript,
  { argv, endpoint, env = process.env, stepLimitMs = DEFAULT_STEP_LIMIT_MS }: ProducerPlayOptions,
): Promise<PlayResult> {
  const started = performance.now();
  const place = { AWS_ENDPOINT_URL: endpoint, AWS_ENDPOINT_URL_KINESIS: endpoint };
  const candidate = await Candidate.start(argv, { ...env, ...ENVIRONMENT, ...place });
  try {
    const fault = await faultOf(transcript, candidate, stepLimitMs);
    return {
      transcript: transcript.name,
      behaviour: transcript.title,
      outcome: fault ? "failed" : "passed",
      sentence: fault?.sentence ?? transcript.sentences[0] ?? "",
      ...(fault && { expected: fault.expected, came: fault.came, lastWords: candidate.lastStderr }),
      noise: [],
      batches: { sent: 0, processed: 0 },
      elapsedMs: Math.round(performance.now() - started),
    };
  } finally {
    candidate.kill();
  }
}

async function faultOf(
  { sent, answers, exitCode, sentences: [sentence = ""] }: ProducerTranscript,
  candidate: Candidate,
  limitMs: number,
): Promise<Fault | undefined> {
  const first = await messageFrom(candidate, "S1", limitMs);
  if (isFault(first)) return first;
  const [ready = "", ...later] = answers;
  const opening = { sentence: "S1", expected: ready, came: JSON.stringify(first) };
  if (!isAlike(first, JSON.parse(ready))) return opening;
  for (const line of sent) candidate.send(line);
  candidate.endInput();

  let missing = later.map((line): Message => JSON.parse(line));
  let credit = creditIn(missing);
  missing = missing.filter(({ action }) => action !== "credit");
  const places = new Set<string>();
  while (missing.length > 0) {
    const expected = JSON.stringify(missing[0]);
    const message = await messageFrom(candidate, sentence, limitMs);
    if (isFault(message)) return { ...message, expected };
    if (message["action"] === "credit") {
      credit -= creditIn([message]);
      continue;
    }
    const index = missing.findIndex((each) => isAlike(message, each));
    const isTooEarly = message["action"] === "closed" && missing.length > 1;
    if (index < 0 || isTooEarly) return { sentence, expected, came: JSON.stringify(message) };
    missing.splice(index, 1);
    const place = placeOf(message);
    if (place !== undefined && places.has(place)) {
      return { sentence: "R2", expected: "a place of its own for each record", came: place };
    }
    if (place !== undefined) places.add(place);
  }
  if (credit !== 0) {
    return { sentence: "B2", expected: "credit for each line", came: `${-credit} bytes too many` };
  }
  return endingOf(candidate, exitCode, limitMs);
}

async function endingOf(
  candidate: Candidate,
  exitCode: number,
  limitMs: number,
): Promise<Fault | undefined> {
  const rest = await candidate.receive(limitMs);
  if (rest.type !== "end") {
    const came = rest.type === "line" ? rest.line : `nothing within ${limitMs} ms`;
    return { sentence: "N1", expected: "the end of STDOUT after closed", came };
  }
  const exit = await candidate.exit(limitMs);
  if (exit?.code === exitCode) return undefined;
  const came = exit ? `exit with ${exit.code ?? exit.signal}` : `no exit within ${limitMs} ms`;
  return { sentence: "N3", expected: `exit with ${exitCode}`, came };
}

/**
 * The next message that a client must know.
 *
 * @param owed the sentence that requires another message.
 */
async function messageFrom(
  candidate: Candidate,
  owed: string,
  limitMs: number,
): Promise<Message | Fault> {
  for (;;) {
    const received = await candidate.receive(limitMs);
    if (received.type !== "line") {
      const isEnd = received.type === "end";
      const came = isEnd ? "the end of STDOUT" : `nothing within ${limitMs} ms`;
      return { sentence: owed, expected: "a line of the producer", came };
    }
    const { line } = received;
    const message = parsed(line);
    if (message === undefined) {
      return { sentence: "T4", expected: "one JSON object per line", came: line };
    }
    if (!KNOWN.has(String(message["action"]))) continue;
    if (producerMessage.safeParse(message).success) return message;
    const schema = "a message of schemas/producer-to-client.json";
    return { sentence: "T4", expected: schema, came: line };
  }
}

/** A client ignores others (S4). */
const KNOWN: ReadonlySet<string> = new Set([
  "ready",
  "result",
  "accepted",
  "credit",
  "flushed",
  "metrics",
  "error",
  "closed",
]);

function parsed(line: string): Message | undefined {
  try {
    const value: unknown = JSON.parse(line);
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? (value as Message) : undefined;
  } catch {
    return undefined;
  }
}

function isFault(message: Message | Fault): message is Fault {
  return "sentence" in message;
}

/** What is not the same for each producer and run. A schema has checked its type. */
const VARYING = new Set([
  "stream",
  "maxRecordBytes",
  "maxInFlightBytes",
  "spill",
  "shardId",
  "sequenceNumber",
  // A record may travel alone.
  "subSequenceNumber",
  "message",
  "metrics",
  "delay",
  "duration",
]);

function isAlike(message: Message, expected: Message): boolean {
  return isDeepStrictEqual(comparable(message), comparable(expected));
}

function comparable(message: Message): unknown {
  return JSON.parse(
    JSON.stringify(message, (name, value) => (VARYING.has(name) ? null : (value as unknown))),
  );
}

/** Where a record is stored. */
function placeOf({ shardId, sequenceNumber, subSequenceNumber }: Message): string | undefined {
  return sequenceNumber === undefined
    ? undefined
    : `${shardId} ${sequenceNumber} ${subSequenceNumber}`;
}

function creditIn(messages: readonly Message[]): number {
  return messages.reduce(
    (sum, { action, bytes }) => sum + (action === "credit" ? Number(bytes) : 0),
    0,
  );
}
