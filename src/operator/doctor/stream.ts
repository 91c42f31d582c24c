// Checks the stream: whether it exists, and its state.

import {
  DescribeStreamSummaryCommand,
  type StreamDescriptionSummary,
} from "@aws-sdk/client-kinesis";
import { limited } from "../../aws/limited.ts";
import type { Settings } from "../../config/settings.ts";
import type { Shard } from "../../model/shard.ts";
import { counted } from "../../plural.ts";
import type { CallOptions } from "../../stream/calls/kinesisCalls.ts";
import { kindOfReadError, StreamNotFound } from "../../stream/calls/readErrors.ts";
import { namingStream, type StreamId, streamParameters } from "../../stream/calls/streamId.ts";
import { listShardsOnce } from "../../stream/listing/listShards.ts";
import { errorText, type Finding, failed, ok, warning } from "./finding.ts";

export interface StreamFacts {
  /** Absent when IAM denies it: only fan-out needs it. */
  readonly summary?: StreamDescriptionSummary;
  /** Absent when the shards cannot be listed. */
  readonly shards?: readonly Shard[];
}

export interface StreamCheck {
  readonly finding: Finding;
  /** Absent when the stream does not exist or cannot be reached. */
  readonly facts?: StreamFacts;
  /** The errors of DescribeStreamSummary and ListShards, for the check of the permissions. */
  readonly described?: unknown;
  readonly listed?: unknown;
}

export async function checkStream(
  settings: Pick<Settings, "initialPosition">,
  stream: StreamId,
  calls: CallOptions,
  signal: AbortSignal,
): Promise<StreamCheck> {
  const [described, listed] = await Promise.all([
    attempt(() => describe(stream, calls, signal)),
    attempt(() => listShardsOnce(calls, stream, undefined, signal)),
  ]);
  signal.throwIfAborted();
  const summary = "value" in described ? described.value : undefined;
  const shards = "value" in listed ? listed.value : undefined;
  const results = {
    ...("error" in described && { described: described.error }),
    ...("error" in listed && { listed: listed.error }),
  };
  const final = [results.listed, results.described].find(isFinal);
  if (final) return { finding: unreachable(final), ...results };
  const facts = { ...(summary && { summary }), ...(shards && { shards }) };
  if (!summary && !shards) {
    const [text, remedy] = [
      errorText(results.listed),
      "See the result of the permission checks below.",
    ];
    return {
      finding: failed(
        "stream",
        `IAM allows neither ListShards nor DescribeStreamSummary (${text})`,
        remedy,
      ),
      facts,
      ...results,
    };
  }
  return {
    finding: summary ? judge(settings, summary, shards) : listing(shards),
    facts,
    ...results,
  };
}

type Attempt<T> = { readonly value: T } | { readonly error: unknown };

async function attempt<T>(call: () => Promise<T>): Promise<Attempt<T>> {
  try {
    return { value: await call() };
  } catch (error) {
    return { error };
  }
}

function describe(stream: StreamId, calls: CallOptions, signal: AbortSignal) {
  return namingStream(stream, () =>
    limited(calls, "DescribeStreamSummary", signal, async (abortSignal) => {
      const command = new DescribeStreamSummaryCommand(streamParameters(stream));
      const { StreamDescriptionSummary } = await calls.client.send(command, { abortSignal });
      return StreamDescriptionSummary;
    }),
  );
}

/** More calls would fail in the same way. */
function isFinal(error: unknown): boolean {
  if (error === undefined) return false;
  return (
    error instanceof StreamNotFound || !["denied", "throttled"].includes(kindOfReadError(error))
  );
}

function unreachable(error: unknown): Finding {
  if (error instanceof StreamNotFound) {
    const [what = "", ...remedy] = error.message.split(/(?<=\.) /);
    return failed(
      "stream",
      what,
      [
        ...remedy,
        "Or correct streamName or regionName, or use credentials of the stream's account.",
      ].join(" "),
    );
  }
  const text = errorText(error);
  return kindOfReadError(error) === "unreachable"
    ? failed(
        "stream",
        `Kinesis cannot be reached (${text})`,
        "Check kinesisEndpoint and regionName, and whether this machine can connect to that endpoint (proxy, VPC endpoint, security group).",
      )
    : failed(
        "stream",
        `Kinesis responded with ${text}`,
        "Run the doctor again. If the error remains, look at the stream in the AWS console.",
      );
}

function judge(
  { initialPosition }: Pick<Settings, "initialPosition">,
  summary: StreamDescriptionSummary,
  shards: readonly Shard[] | undefined,
): Finding {
  const status = summary.StreamStatus ?? "of unknown status";
  const message = [
    `${summary.StreamName} is ${status}`,
    counted(summary.OpenShardCount ?? 0, "open shard") + closedOf(shards),
    `${(summary.StreamModeDetails?.StreamMode ?? "PROVISIONED").toLowerCase().replace("_", "-")}`,
    `keeps records for ${summary.RetentionPeriodHours ?? 24} h`,
    summary.EncryptionType === "KMS"
      ? `encrypted with ${summary.KeyId ?? "a KMS key"}`
      : "not encrypted",
  ].join(", ");
  if (status === "DELETING")
    return failed(
      "stream",
      message,
      "The stream is being deleted. Create it again, or name another stream.",
    );
  if (status === "CREATING")
    return warning(
      "stream",
      message,
      "Wait until the stream is ACTIVE, or start the daemon with --wait-for-stream.",
    );
  if (initialPosition.type === "AT_TIMESTAMP" && initialPosition.timestamp.getTime() > Date.now()) {
    return warning(
      "stream",
      `${message}; the time of initialPositionInStreamExtended is in the future`,
      "Records before that time are skipped. Correct the time if this is not intended.",
    );
  }
  return ok("stream", message);
}

function listing(shards: readonly Shard[] | undefined): Finding {
  const open = shards?.filter(({ endingSequenceNumber }) => endingSequenceNumber === undefined);
  return ok(
    "stream",
    `the stream exists, ${counted(open?.length ?? 0, "open shard")}${closedOf(shards)} (IAM denies kinesis:DescribeStreamSummary, which would show more)`,
  );
}

function closedOf(shards: readonly Shard[] | undefined): string {
  const closed = shards?.filter(({ endingSequenceNumber }) => endingSequenceNumber !== undefined);
  return closed && closed.length > 0 ? ` and ${closed.length} closed` : "";
}
