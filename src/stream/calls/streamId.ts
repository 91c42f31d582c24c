// Identifies a stream in a call: by its name in our own account, or by its ARN in any account.

import { kindOfReadError, StreamNotFound } from "./readErrors.ts";

export type StreamId = { readonly streamName: string } | { readonly streamARN: string };

export function streamParameters(
  stream: StreamId,
): { readonly StreamARN: string } | { readonly StreamName: string } {
  return "streamARN" in stream
    ? { StreamARN: stream.streamARN }
    : { StreamName: stream.streamName };
}

/** The name, without the rest of an ARN. */
export function streamNameOf(stream: StreamId): string {
  return "streamARN" in stream
    ? stream.streamARN.slice(stream.streamARN.indexOf("/") + 1)
    : stream.streamName;
}

/**
 * Replaces the service's ResourceNotFoundException by a StreamNotFound, which says how to create
 * it.
 */
export async function namingStream<T>(stream: StreamId, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    if (kindOfReadError(cause) !== "notFound") throw cause;
    const name = streamNameOf(stream);
    throw new StreamNotFound(
      `The Kinesis stream ${name} does not exist in this account and region. Create it: ` +
        `aws kinesis create-stream --stream-name ${name} --shard-count 1 (or: kinesis-multilang put --stream ${name} --create).`,
      { cause },
    );
  }
}
