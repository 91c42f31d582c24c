// The two calls that reading a shard is made of, each with a time limit and each ended by an abort.

import {
  GetRecordsCommand,
  GetShardIteratorCommand,
  type GetShardIteratorCommandInput,
  type KinesisClient,
} from "@aws-sdk/client-kinesis";
import type { Clock } from "../clock.ts";
import { isSentinel, type Position } from "../model/position.ts";
import type { InitialPosition } from "../model/shard.ts";
import type { Disaggregate } from "./aggregate.ts";
import { reuseBody } from "./body.ts";
import { InvalidResponse } from "./errors.ts";
import { type GetRecordsAnswer, readGetRecordsAnswer } from "./getRecordsAnswer.ts";
import type { RawGetRecordsOutput, ServiceTime } from "./protocol.ts";
import { type StreamId, streamParameters } from "./streamId.ts";

export interface CallOptions {
  readonly client: KinesisClient;
  readonly clock: Clock;
  /** The longest that a call may take, its body included. */
  readonly requestTimeoutMs: number;
}

/** Where an iterator is to point. */
export type IteratorPlace =
  | { readonly type: "TRIM_HORIZON" | "LATEST" }
  | { readonly type: "AT_TIMESTAMP"; readonly timestamp: Date }
  | {
      readonly type: "AT_SEQUENCE_NUMBER" | "AFTER_SEQUENCE_NUMBER";
      readonly sequenceNumber: string;
    };

/**
 * The place of a stored position. A number means *at*: the aggregate that holds the record inside it is needed again.
 * The lease says AT_TIMESTAMP without a time, which the configuration has; without one, everything is read.
 */
export function placeOf(position: Position, initial: InitialPosition): IteratorPlace {
  const { sequenceNumber } = position;
  if (!isSentinel(sequenceNumber)) return { type: "AT_SEQUENCE_NUMBER", sequenceNumber };
  switch (sequenceNumber) {
    case "TRIM_HORIZON":
    case "LATEST":
      return { type: sequenceNumber };
    case "AT_TIMESTAMP":
      return initial.type === "AT_TIMESTAMP" ? initial : { type: "TRIM_HORIZON" };
    case "SHARD_END":
      throw new Error("A shard that has ended is not read again.");
  }
}

export async function getShardIterator(
  options: CallOptions,
  stream: StreamId,
  shardId: string,
  place: IteratorPlace,
  signal: AbortSignal,
): Promise<{ readonly iterator: string; readonly serviceTimeMs: number | undefined }> {
  const input: GetShardIteratorCommandInput = {
    ...streamParameters(stream),
    ShardId: shardId,
    ShardIteratorType: place.type,
  };
  if (place.type === "AT_TIMESTAMP") input.Timestamp = place.timestamp;
  if ("sequenceNumber" in place) input.StartingSequenceNumber = place.sequenceNumber;
  const output: ServiceTime & { readonly ShardIterator?: string | undefined } = await limited(
    options,
    "GetShardIterator",
    signal,
    (abortSignal) => options.client.send(new GetShardIteratorCommand(input), { abortSignal }),
  );
  if (!output.ShardIterator) {
    throw new InvalidResponse("Kinesis answered GetShardIterator without an iterator.");
  }
  return { iterator: output.ShardIterator, serviceTimeMs: output.serviceTimeMs };
}

/** @param limit the most records to ask for, at most 10,000 (a limit of the service). */
export async function getRecords(
  options: CallOptions,
  iterator: string,
  limit: number,
  disaggregate: Disaggregate | undefined,
  signal: AbortSignal,
): Promise<GetRecordsAnswer> {
  const output: unknown = await limited(options, "GetRecords", signal, (abortSignal) =>
    options.client.send(new GetRecordsCommand({ ShardIterator: iterator, Limit: limit }), {
      abortSignal,
    }),
  );
  const { body } = output as RawGetRecordsOutput;
  const answer = readGetRecordsAnswer(body, disaggregate);
  reuseBody(body);
  return answer;
}

/** A call that took too long. */
class CallTimeout extends Error {
  override readonly name = "TimeoutError";
}

export async function limited<T>(
  { requestTimeoutMs }: CallOptions,
  operation: string,
  signal: AbortSignal,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  // Not AbortSignal.any: on a signal that lives as long as the daemon it leaks a little with each call.
  const controller = new AbortController();
  const abort = () => controller.abort(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  let late = false;
  // A plain timer: `Clock.sleep` makes an error for each call that ends in time.
  const timer = setTimeout(() => {
    late = true;
    controller.abort();
  }, requestTimeoutMs);
  try {
    return await call(controller.signal);
  } catch (cause) {
    if (!late) throw cause;
    throw new CallTimeout(`Kinesis did not answer ${operation} within ${requestTimeoutMs} ms.`, {
      cause,
    });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
}
