// Describes a stream.

import { DescribeStreamSummaryCommand } from "@aws-sdk/client-kinesis";
import { limited } from "../../aws/limited.ts";
import { type RetryOptions, retried } from "./retried.ts";
import { namingStream, type StreamId, streamNameOf, streamParameters } from "./streamId.ts";

export interface StreamDescription {
  readonly streamName: string;
  readonly streamARN: string;
  readonly status: "ACTIVE" | "CREATING" | "DELETING" | "UPDATING";
  readonly openShards: number;
  readonly retentionHours: number;
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
    };
  });
}
