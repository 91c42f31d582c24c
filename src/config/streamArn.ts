// Parses a stream's ARN. Java uses only the name in it; we also send the ARN to Kinesis and use its
// region.

export interface StreamArn {
  /** Without what may follow the stream's name, such as a consumer. */
  readonly arn: string;
  readonly region: string;
  readonly accountId: string;
  readonly streamName: string;
}

const STREAM_ARN =
  /^arn:(aws[a-z-]*):kinesis:([a-z0-9-]+):(\d{12}):stream\/([a-zA-Z0-9_.-]{1,128})(\/.*)?$/;

/** The placeholder for an account in the official samples, and the only account of emulators. */
export const ANY_ACCOUNT = "000000000000";

export const STREAM_ARN_FORM = "arn:aws:kinesis:REGION:ACCOUNT:stream/NAME";

export function parseStreamArn(text: string): StreamArn | undefined {
  const [, partition, region, accountId, streamName] = STREAM_ARN.exec(text) ?? [];
  if (!partition || !region || !accountId || !streamName) return undefined;
  const arn = `arn:${partition}:kinesis:${region}:${accountId}:stream/${streamName}`;
  return { arn, region, accountId, streamName };
}
