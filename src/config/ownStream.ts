// Whether an output stream is the stream that the daemon reads. What is written there would come
// back as records and be written again. For every output that may be a stream.

import { parseStreamArn, type StreamArn } from "./streamArn.ts";

/** A stream, with its region and account where they are known. */
export interface StreamPlace {
  readonly streamName: string;
  readonly region?: string | undefined;
  readonly accountId?: string | undefined;
}

export interface Reading {
  readonly streamName: string;
  readonly streamArn?: StreamArn | undefined;
  /** The region of Kinesis, if one is set. */
  readonly region?: string | undefined;
  /** An enhanced fan-out consumer: records come from its stream, whatever the other fields say. */
  readonly consumerArn?: string | undefined;
}

/** A region or account that is unknown on either side counts as the same. */
export function isReadHere(
  stream: StreamPlace,
  { streamName, streamArn, region, consumerArn = "" }: Reading,
): boolean {
  const read = [streamArn ?? { streamName, region }, parseStreamArn(consumerArn)];
  return read.some((place) => place !== undefined && maybeSame(place, stream));
}

function maybeSame(one: StreamPlace, other: StreamPlace): boolean {
  const agree = (key: "region" | "accountId") =>
    one[key] === undefined || other[key] === undefined || one[key] === other[key];
  return one.streamName === other.streamName && agree("region") && agree("accountId");
}
