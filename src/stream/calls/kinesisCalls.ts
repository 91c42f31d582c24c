// The two calls that reading a shard is made of, each with a time limit and each ended by an abort.

import {
  GetRecordsCommand,
  GetShardIteratorCommand,
  type GetShardIteratorCommandInput,
  type KinesisClient,
} from "@aws-sdk/client-kinesis";
import type { RawGetRecordsOutput, ServiceTime } from "../../aws/kinesisProtocol.ts";
import { limited } from "../../aws/limited.ts";
import type { Clock } from "../../clock.ts";
import { isSentinel, type Position } from "../../model/position.ts";
import type { InitialPosition } from "../../model/shard.ts";
import { type GetRecordsAnswer, readGetRecordsAnswer } from "../../records/getRecordsAnswer.ts";
import { InvalidResponse } from "../../records/invalidResponse.ts";
import type { Disaggregate } from "../../records/kplAggregate.ts";
import { giveBuffer } from "../../spareBuffers.ts";
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

type SendGetRecords = ReturnType<GetRecordsCommand["resolveMiddleware"]>;

/**
 * GetRecords, one call after another. `client.send` puts the SDK's middleware together anew for each, which is a good part of
 * what an empty answer costs; here that is done once, and again after a call that was aborted.
 */
export class GetRecords {
  readonly #options: CallOptions;
  #controller = new AbortController();
  #send: SendGetRecords | undefined;

  constructor(options: CallOptions) {
    this.#options = options;
  }

  /** @param limit the most records to ask for, at most 10,000 (a limit of the service). */
  async call(
    iterator: string,
    limit: number,
    disaggregate: Disaggregate | undefined,
    signal: AbortSignal,
  ): Promise<GetRecordsAnswer> {
    if (this.#controller.signal.aborted) {
      this.#controller = new AbortController();
      this.#send = undefined;
    }
    const input = { ShardIterator: iterator, Limit: limit };
    const call = (abortSignal: AbortSignal) => {
      this.#send ??= this.#resolve(new GetRecordsCommand(input), abortSignal);
      return this.#send({ input });
    };
    const { output } = await limited(this.#options, "GetRecords", signal, call, this.#controller);
    const { body } = output as unknown as RawGetRecordsOutput;
    const answer = readGetRecordsAnswer(body, disaggregate);
    giveBuffer(body);
    return answer;
  }

  #resolve(command: GetRecordsCommand, abortSignal: AbortSignal): SendGetRecords {
    const { middlewareStack, config } = this.#options.client;
    return command.resolveMiddleware(middlewareStack, config, { abortSignal });
  }
}
