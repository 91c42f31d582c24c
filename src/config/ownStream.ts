// Whether an output stream is the stream that the daemon reads. What is written there would come
// back as records and be written again. For every output that may be a stream.

import { parseDestination } from "../model/failureDestination.ts";
import type { Settings } from "./settings.ts";
import { ANY_ACCOUNT, parseStreamArn, type StreamArn } from "./streamArn.ts";

/** A stream, with its region and account where they are known. */
export interface StreamPlace {
  readonly streamName: string;
  readonly region?: string | undefined;
  readonly accountId?: string | undefined;
}

export interface Reading {
  readonly streamName: string;
  /** Several streams, in place of the name. */
  readonly streams?: readonly StreamPlace[] | undefined;
  readonly streamArn?: StreamArn | undefined;
  /** The region of Kinesis, if one is set. */
  readonly region?: string | undefined;
  /** An enhanced fan-out consumer: records come from its stream, whatever the other fields say. */
  readonly consumerArn?: string | undefined;
}

/** The stream that `onFailureDestination` names, if it names one. */
export function letterStream(destination = ""): StreamPlace | undefined {
  const to = parseDestination(destination);
  if (typeof to !== "object" || to.type !== "kinesis") return undefined;
  const { stream } = to;
  return ("arn" in stream && parseStreamArn(stream.arn)) || { streamName: stream.name };
}

/**
 * Names of applications whose dead letters come back to them by way of the others: one application
 * reads the stream for the letters of another one.
 */
export function letterLoop(all: readonly Settings[]): readonly string[] {
  const readersOfLetters = ({ onFailureDestination, services }: Settings) => {
    const letters = letterStream(onFailureDestination);
    const stream = letters && { region: services.kinesis.region, ...letters };
    return stream ? all.filter((reader) => isReadHere(stream, readingOf(reader))) : [];
  };
  const isInLoop = (one: Settings) => {
    const reached = new Set(readersOfLetters(one));
    for (const each of reached) for (const next of readersOfLetters(each)) reached.add(next);
    return reached.has(one);
  };
  return all.filter(isInLoop).map(({ applicationName }) => applicationName);
}

function readingOf({ services, fanoutConfig, ...settings }: Settings): Reading {
  const { consumerArn } = fanoutConfig;
  return { ...settings, region: services.kinesis.region, consumerArn };
}

/** A region or account that is unknown on either side counts as the same. */
export function isReadHere(
  stream: StreamPlace,
  { streamName, streams = [{ streamName }], streamArn, region, consumerArn = "" }: Reading,
): boolean {
  const named = streams.map((each) => ({ region, ...each }));
  const read = [...(streamArn ? [streamArn] : named), parseStreamArn(consumerArn)];
  return read.some((place) => place !== undefined && maybeSame(place, stream));
}

function maybeSame(one: StreamPlace, other: StreamPlace): boolean {
  const isUnknown = (value?: string) => value === undefined || value === ANY_ACCOUNT;
  const agree = (key: "region" | "accountId") =>
    isUnknown(one[key]) || isUnknown(other[key]) || one[key] === other[key];
  return one.streamName === other.streamName && agree("region") && agree("accountId");
}
