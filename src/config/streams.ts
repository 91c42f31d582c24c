// `streamName` with several streams, each by its name, its ARN, or the identifier that KCL's
// multi-stream mode gives it. An application reads in multi-stream mode when it names several
// streams, or one by its identifier; then its lease keys contain the stream.

import { STREAM_ID } from "../model/shardKey.ts";
import { ANY_ACCOUNT, parseStreamArn, type StreamArn } from "./streamArn.ts";

/** One of the streams that an application reads in multi-stream mode. */
export interface NamedStream {
  readonly streamName: string;
  /** The ARN, with which the stream is called. */
  readonly arn?: string;
  readonly region?: string;
  readonly accountId?: string;
  /** `account:stream:creationEpoch`, if the user wrote it; otherwise Kinesis is asked for it. */
  readonly streamId?: string;
}

const NAME = /^[a-zA-Z0-9_.-]{1,128}$/;

export const STREAMS_FORM =
  "a stream name: 1 to 128 of the characters a-z A-Z 0-9 _ . -; for several streams a list such as orders, clicks, whose entries may also be ARNs or ACCOUNT:NAME:CREATION_EPOCH";

/** @returns the problem as text when the value is wrong. */
export function parseStreams(text: string): readonly NamedStream[] | string {
  const entries = text.split(",").map((entry) => entry.trim());
  const streams = entries.map(parseEntry);
  const wrong = entries.find((_, index) => streams[index] === undefined);
  if (wrong !== undefined) return STREAMS_FORM;
  const named = streams.filter((stream) => stream !== undefined);
  const [first, second] = named;
  if (first?.arn !== undefined && !second) return `${STREAMS_FORM}. For one ARN set streamArn`;
  const names = named.map(({ streamName }) => streamName);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) return `each stream once, and ${twice} is named twice`;
  const regions = [...new Set(named.flatMap(({ region }) => region ?? []))];
  if (regions.length > 1) {
    return `streams of one region, and these are in ${regions.join(" and ")}. Run an application for each region (-p FILE -p FILE)`;
  }
  return named;
}

/** What `streamName` and `streamArn` say together. */
export interface ChosenStreams {
  /** For display: all names, joined by commas. */
  readonly streamName: string;
  /** Present in multi-stream mode. */
  readonly streams?: readonly NamedStream[];
}

interface Choice {
  readonly streams?: ChosenStreams;
  readonly problem?: string;
  readonly notice?: string;
}

export function chooseStreams({
  streamName: named,
  streamArn,
}: {
  readonly streamName?: readonly NamedStream[] | undefined;
  readonly streamArn?: StreamArn | undefined;
}): Choice {
  const streamName = named?.map((stream) => stream.streamName).join(", ");
  if (!streamArn) {
    return named && streamName !== undefined
      ? { streams: { streamName, ...(isMultiStream(named) && { streams: named }) } }
      : { problem: "is missing: streamName or streamArn is required" };
  }
  if (named && isMultiStream(named)) {
    return { problem: "names several streams, and streamArn one: put the ARN into streamName" };
  }
  const differs = streamName !== undefined && streamName !== streamArn.streamName;
  return {
    streams: { streamName: streamArn.streamName },
    ...(differs && { notice: `streamArn names ${streamArn.streamName}, which is used` }),
  };
}

/** Whether the lease keys contain the stream. */
function isMultiStream(streams: readonly NamedStream[]): boolean {
  return streams.length > 1 || streams.some(({ streamId }) => streamId !== undefined);
}

function parseEntry(entry: string): NamedStream | undefined {
  if (NAME.test(entry)) return { streamName: entry };
  const [streamId, accountId, streamName] = STREAM_ID.exec(entry) ?? [];
  if (streamId !== undefined && streamName !== undefined) {
    return { streamName, streamId, ...(accountId !== undefined && { accountId }) };
  }
  const parsed = parseStreamArn(entry);
  if (!parsed) return undefined;
  return parsed.accountId === ANY_ACCOUNT ? { streamName: parsed.streamName } : parsed;
}
