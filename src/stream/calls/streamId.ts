// How a stream is named in a call: by its name in our account, or by its ARN in any.

import { kindOfTrouble, StreamNotFound } from "./readErrors.ts";

export type StreamId = { readonly streamName: string } | { readonly streamARN: string };

export function streamParameters(
  stream: StreamId,
): { readonly StreamARN: string } | { readonly StreamName: string } {
  return "streamARN" in stream
    ? { StreamARN: stream.streamARN }
    : { StreamName: stream.streamName };
}

/** The name alone, as people know the stream. */
export function streamNameOf(stream: StreamId): string {
  return "streamARN" in stream
    ? stream.streamARN.slice(stream.streamARN.indexOf("/") + 1)
    : stream.streamName;
}

/** Makes the service's "not found" a StreamNotFound that says how to create the stream. */
export async function namingStream<T>(stream: StreamId, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    if (kindOfTrouble(cause) !== "notFound") throw cause;
    const name = streamNameOf(stream);
    throw new StreamNotFound(
      `The Kinesis stream ${name} does not exist in this account and region. Create it: ` +
        `aws kinesis create-stream --stream-name ${name} --shard-count 1 (or: kinesis-multilang put --stream ${name} --create).`,
      { cause },
    );
  }
}
