// Describes a stream.

import { DescribeStreamSummaryCommand } from "@aws-sdk/client-kinesis";
import { limited } from "../../aws/limited.ts";
import { UserError } from "../../model/errors.ts";
import { type RetryOptions, retried } from "./retried.ts";
import { namingStream, type StreamId, streamNameOf, streamParameters } from "./streamId.ts";

export interface StreamDescription {
  readonly streamName: string;
  readonly streamARN: string;
  readonly status: "ACTIVE" | "CREATING" | "DELETING" | "UPDATING";
  readonly openShards: number;
  readonly retentionHours: number;
  /** Milliseconds since 1970. */
  readonly createdMs: number | undefined;
}

/** Retries and throws like `listShards`. */
export function describeStream(
  options: RetryOptions,
  stream: StreamId,
): Promise<StreamDescription> {
  return retried("DescribeStreamSummary", options, async (calls, signal) => {
    const { StreamDescriptionSummary: summary } = await namingStream(stream, () =>
      limited(calls, "DescribeStreamSummary", signal, (abortSignal) =>
        calls.client.send(new DescribeStreamSummaryCommand(streamParameters(stream)), {
          abortSignal,
        }),
      ),
    );
    return {
      streamName: summary?.StreamName ?? streamNameOf(stream),
      streamARN: summary?.StreamARN ?? "",
      status: summary?.StreamStatus ?? "ACTIVE",
      openShards: summary?.OpenShardCount ?? 0,
      retentionHours: summary?.RetentionPeriodHours ?? 24,
      createdMs: summary?.StreamCreationTimestamp?.getTime(),
    };
  });
}

/**
 * The identifier that KCL's multi-stream mode gives the stream: `account:stream:creationEpoch`.
 *
 * @throws UserError when Kinesis does not tell it, and as `listShards`.
 */
export async function describedId(options: RetryOptions, stream: StreamId): Promise<string> {
  const { streamName, streamARN, createdMs } = await describeStream(options, stream);
  const [, , , , accountId] = streamARN.split(":");
  if (accountId && createdMs !== undefined) {
    return `${accountId}:${streamName}:${Math.floor(createdMs / 1000)}`;
  }
  throw new UserError(
    `Kinesis did not say when the stream ${streamName} was created, which is part of its lease keys. Write the stream as ACCOUNT:${streamName}:CREATION_EPOCH in streamName.`,
  );
}
