// Makes sure that there is a stream to write to: creates it if asked, waits until it takes records.

import {
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  type KinesisClient,
  ResourceInUseException,
  ResourceNotFoundException,
  type StreamDescriptionSummary,
} from "@aws-sdk/client-kinesis";
import { type Clock, systemClock } from "../clock.ts";
import { UserError } from "../model/errors.ts";

export interface WantedStream {
  readonly streamName: string;
  /** How many shards to create it with; absent = it must be there. */
  readonly createWithShards?: number;
}

export interface FoundStream {
  readonly openShards: number;
  readonly created: boolean;
}

// DescribeStreamSummary: 20 calls a second and account.
const POLL_MS = 250;
// A new stream is usually ACTIVE in well under a minute.
const ACTIVE_LIMIT_MS = 300_000;

/**
 * Returns when the stream takes records (ACTIVE, or UPDATING while it is resharded), or the signal is aborted.
 *
 * @throws UserError when it does not exist and was not to be created, is being deleted, or stays unready for 5 minutes.
 */
export async function ensureStream(
  client: KinesisClient,
  { streamName, createWithShards }: WantedStream,
  signal: AbortSignal,
  clock: Clock = systemClock,
): Promise<FoundStream> {
  const created =
    createWithShards !== undefined && (await create(client, streamName, createWithShards));
  const deadline = clock.monotonicMs() + ACTIVE_LIMIT_MS;
  while (true) {
    const stream = await describe(client, streamName);
    const status = stream?.StreamStatus;
    if (status === "ACTIVE" || status === "UPDATING" || signal.aborted) {
      return { openShards: stream?.OpenShardCount ?? 0, created };
    }
    // Right after its creation a stream may not be visible yet.
    if (stream === undefined && !created) throw await missing(client, streamName);
    if (status === "DELETING") {
      throw new UserError(
        `Stream ${streamName} is being deleted. Wait until it is gone, then create it anew with --create.`,
      );
    }
    if (clock.monotonicMs() > deadline) {
      throw new UserError(
        `Stream ${streamName} is still ${status ?? "invisible"} after ${ACTIVE_LIMIT_MS / 60_000} minutes; look at it in the AWS console.`,
      );
    }
    await clock.sleep(POLL_MS, signal);
  }
}

async function create(client: KinesisClient, streamName: string, shards: number): Promise<boolean> {
  try {
    await client.send(
      new CreateStreamCommand({
        StreamName: streamName,
        ShardCount: shards,
        StreamModeDetails: { StreamMode: "PROVISIONED" },
      }),
    );
    return true;
  } catch (error) {
    if (error instanceof ResourceInUseException) return false;
    throw error;
  }
}

async function describe(
  client: KinesisClient,
  streamName: string,
): Promise<StreamDescriptionSummary | undefined> {
  try {
    const found = await client.send(new DescribeStreamSummaryCommand({ StreamName: streamName }));
    return found.StreamDescriptionSummary;
  } catch (error) {
    if (error instanceof ResourceNotFoundException) return undefined;
    throw error;
  }
}

async function missing(client: KinesisClient, streamName: string): Promise<UserError> {
  const region = await client.config.region();
  return new UserError(
    `There is no stream ${streamName} in ${region} for these credentials. Create it with --create --shards 1, ` +
      `or with: aws kinesis create-stream --stream-name ${streamName} --shard-count 1 --region ${region}`,
  );
}
