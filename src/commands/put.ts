// `kinesis-multilang put`: puts words, or the lines of STDIN, into a stream.

import { randomUUID } from "node:crypto";
import { Command, Option } from "commander";
import { systemClock } from "../clock.ts";
import { UserError } from "../model/errors.ts";
import type { Rounds } from "../put/sources.ts";
import { endpointUrl, numberFrom } from "./numbers.ts";

interface PutArguments {
  readonly stream: string;
  readonly word: readonly string[];
  readonly period?: number;
  readonly rate?: number;
  readonly count?: number;
  readonly create: boolean;
  readonly shards: number;
  readonly key: "random" | "word";
  readonly endpoint?: string;
  readonly region?: string;
}

/** Without --period, a rate is kept in steps of this length. */
const RATE_STEP_SECONDS = 0.1;
/**
 * With --count alone there are no pauses, so each round has the most records that a call accepts.
 */
const FULL_CALL = 500;
const DAY_SECONDS = 86_400;
const MAX_PARTITION_KEY_CHARS = 256;

export function putCommand(): Command {
  return new Command("put")
    .summary("put words, or lines from STDIN, into a stream")
    .description(
      "Puts words into a stream. With -w, it puts the given words once; with -p, --rate or --count, it puts random ones of them repeatedly. " +
        "Without -w, it puts every line of STDIN as one record.",
    )
    .requiredOption("-s, --stream <name>", "the stream to write to")
    .option("-w, --word <word...>", "a word to put (may be repeated)", collect, [])
    .option(
      "-p, --period <seconds>",
      "put random words at this interval",
      numberFrom({ min: 0.001, max: DAY_SECONDS }),
    )
    .option("--rate <n>", "records per second", numberFrom({ min: 0.001, max: 1_000_000 }))
    .option(
      "--count <n>",
      "end after this number of records",
      numberFrom({ min: 1, max: Number.MAX_SAFE_INTEGER, integer: true }),
    )
    .option("--create", "create the stream if it does not exist", false)
    .option(
      "--shards <n>",
      "number of shards of a stream that --create creates",
      numberFrom({ min: 1, max: 10_000, integer: true }),
      1,
    )
    .addOption(
      new Option("--key <how>", "partition key: random for each record, or the word itself")
        .choices(["random", "word"])
        .default("random"),
    )
    .option("--endpoint <url>", "the Kinesis endpoint (or AWS_ENDPOINT_URL_KINESIS)", endpointUrl)
    .option("-r, --region <name>", "the AWS region (or AWS_REGION)")
    .action(put);
}

async function put(options: PutArguments): Promise<void> {
  const input = options.word.length > 0 ? undefined : process.stdin;
  if (input?.isTTY) {
    throw new UserError(
      "There is nothing to put. Give words with -w cat -w dog, or lines on STDIN.",
    );
  }
  // Loading the SDK takes a noticeable part of a second, so the options are checked first.
  const { putFrom } = await import("../put/putFrom.ts");
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt).once("SIGHUP", interrupt);
  try {
    await putFrom({
      streamName: options.stream,
      ...(options.create ? { createWithShards: options.shards } : {}),
      ...(options.endpoint ? { endpoint: options.endpoint } : {}),
      ...(options.region ? { region: options.region } : {}),
      ...countOf(options),
      source: input
        ? { input, ...(options.rate ? { rate: options.rate } : {}) }
        : roundsOf(options),
      partitionKey: options.key === "word" ? wordAsKey : () => randomUUID(),
      output: process.stderr,
      clock: systemClock,
      signal: stop.signal,
    });
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt).off("SIGHUP", interrupt);
  }
}

/** The words are put once and in order, unless an option says that they are put repeatedly. */
function isOnce({ word, period, rate, count }: PutArguments): boolean {
  return word.length > 0 && (period ?? rate ?? count) === undefined;
}

function countOf(options: PutArguments): { count?: number } {
  if (isOnce(options)) return { count: options.word.length };
  return options.count === undefined ? {} : { count: options.count };
}

function roundsOf(options: PutArguments): Rounds {
  const { word: words, period, rate } = options;
  if (isOnce(options)) return { words, periodMs: 0, perRound: words.length, choice: "inOrder" };
  if (rate !== undefined) {
    const seconds = period ?? RATE_STEP_SECONDS;
    return { words, periodMs: seconds * 1000, perRound: rate * seconds, choice: "random" };
  }
  if (period === undefined) return { words, periodMs: 0, perRound: FULL_CALL, choice: "random" };
  return { words, periodMs: period * 1000, perRound: words.length, choice: "random" };
}

function wordAsKey(data: Uint8Array): string {
  return Buffer.from(data).toString().slice(0, MAX_PARTITION_KEY_CHARS);
}

function collect(word: string, before: readonly string[]): readonly string[] {
  return [...before, word];
}
