// The two calls that read a shard. Each has a time limit and stops when its signal is aborted.

import {
  GetRecordsCommand,
  GetShardIteratorCommand,
  type GetShardIteratorCommandInput,
  type KinesisClient,
} from "@aws-sdk/client-kinesis";
import type { ServiceTime } from "../../aws/kinesisProtocol.ts";
import { limited } from "../../aws/limited.ts";
import { RepeatedCall } from "../../aws/repeatedCall.ts";
import { forShard } from "../../aws/watchedCalls.ts";
import { giveBuffer, ownerOf } from "../../buffers.ts";
import type { Clock } from "../../clock.ts";
import { isSentinel, type Position } from "../../model/position.ts";
import type { InitialPosition } from "../../model/shard.ts";
import { plainShardId } from "../../model/shardKey.ts";
import {
  type GetRecordsResponse,
  readGetRecordsResponse,
} from "../../records/getRecordsResponse.ts";
import { InvalidResponse } from "../../records/invalidResponse.ts";
import type { Disaggregate } from "../../records/kpl/disaggregate.ts";
import { type StreamId, streamParameters } from "./streamId.ts";

export interface CallOptions {
  readonly client: KinesisClient;
  readonly clock: Clock;
  /** From the start of a call to the end of its response. */
  readonly requestTimeoutMs: number;
}

/** Where an iterator starts. */
export type IteratorPlace =
  | { readonly type: "TRIM_HORIZON" | "LATEST" }
  | { readonly type: "AT_TIMESTAMP"; readonly timestamp: Date }
  | {
      readonly type: "AT_SEQUENCE_NUMBER" | "AFTER_SEQUENCE_NUMBER";
      readonly sequenceNumber: string;
    };

/**
 * The place of a stored position. A sequence number means *at*, not *after*, because the record may
 * be in the middle of an aggregate. A lease stores AT_TIMESTAMP without its time. The time is in
 * the configuration; if it is not there any more, reading starts at the oldest record.
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
      throw new Error("A shard whose checkpoint is SHARD_END must not be read again.");
  }
}

export async function getShardIterator(
  options: CallOptions,
  stream: StreamId,
  shardId: string,
  place: IteratorPlace,
  signal: AbortSignal,
): Promise<{ readonly iterator: string; readonly serviceTimeMs: number | undefined }> {
  const input: GetShardIteratorCommandInput = forShard(
    { ...streamParameters(stream), ShardId: plainShardId(shardId), ShardIteratorType: place.type },
    shardId,
  );
  if (place.type === "AT_TIMESTAMP") input.Timestamp = place.timestamp;
  if ("sequenceNumber" in place) input.StartingSequenceNumber = place.sequenceNumber;
  const output: ServiceTime & { readonly ShardIterator?: string | undefined } = await limited(
    options,
    "GetShardIterator",
    signal,
    (abortSignal) => options.client.send(new GetShardIteratorCommand(input), { abortSignal }),
  );
  if (!output.ShardIterator) {
    throw new InvalidResponse("Kinesis sent a GetShardIterator response without an iterator.");
  }
  return { iterator: output.ShardIterator, serviceTimeMs: output.serviceTimeMs };
}

/** Calls GetRecords. */
export class GetRecords {
  readonly #options: CallOptions;
  readonly #call: RepeatedCall<GetRecordsInput>;
  readonly #shardId: string;

  constructor(options: CallOptions, shardId: string) {
    this.#options = options;
    this.#shardId = shardId;
    const { middlewareStack, config } = options.client;
    this.#call = new RepeatedCall({
      name: "GetRecords",
      config,
      send: (input, requestHandler, abortSignal) =>
        new GetRecordsCommand(input).resolveMiddleware(
          middlewareStack,
          { ...config, requestHandler },
          { abortSignal },
        )({ input }),
    });
  }

  /** @param limit the largest number of records; at most 10,000, a limit of Kinesis. */
  async call(
    iterator: string,
    limit: number,
    disaggregate: Disaggregate | undefined,
    signal: AbortSignal,
  ): Promise<GetRecordsResponse> {
    const input = forShard({ ShardIterator: iterator, Limit: limit }, this.#shardId);
    const call = (abortSignal: AbortSignal) => this.#call.send(input, abortSignal);
    const body = await limited(this.#options, "GetRecords", signal, call);
    const response = readGetRecordsResponse(body, disaggregate);
    // All records have been copied out of the body.
    giveBuffer(ownerOf(body));
    return response;
  }
}

interface GetRecordsInput {
  readonly ShardIterator: string;
  readonly Limit: number;
}
