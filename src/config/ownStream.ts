// Whether a stream that we are to write to is one that we read: what is written would come back to us, and be written again.
// For every output that may be a stream.

import { parseStreamArn, type StreamArn } from "./streamArn.ts";

/** A stream, as far as it is known where it is. */
export interface StreamPlace {
  readonly streamName: string;
  readonly region?: string | undefined;
  readonly accountId?: string | undefined;
}

export interface Reading {
  readonly streamName: string;
  readonly streamArn?: StreamArn | undefined;
  /** Where Kinesis is called, if that is set. */
  readonly region?: string | undefined;
  /** Records come from the stream that this names, whatever the others say. */
  readonly consumerArn?: string | undefined;
}

/** What is not known of either counts as the same. */
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
