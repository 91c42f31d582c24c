// How the services are reached that dead letters are sent to: with the credentials of the stream's reader, in the
// region that the destination names, else the reader's. The SDK's clients for them are no dependencies of this package.

import { withoutVersionWarning } from "../aws/kinesisClient.ts";
import { type AwsOptions, awsOptions } from "../aws/options.ts";
import { type Client, renewRefusedKeys } from "../aws/refusedKeys.ts";
import type { Settings } from "../config/settings.ts";
import type { Emit } from "../events.ts";
import { UserError } from "../model/errors.ts";

export interface Reach {
  readonly settings: Pick<Settings, "services">;
  readonly emit: Emit;
  /** The longest that a call may take, with all that the SDK tries in it; a minute when absent. */
  readonly limitMs?: number;
}

const LIMIT_MS = 60_000;

/** A call that hangs would hang its shard. */
export function timeLimit(service: string, { limitMs = LIMIT_MS }: Reach) {
  return { service, requestTimeoutMs: limitMs };
}

export type LetterService = "sqs" | "sns" | "s3";

const CONNECT_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 30_000;

/** For the SDK's client. An endpoint of its own is named by AWS_ENDPOINT_URL or, say, AWS_ENDPOINT_URL_SQS. */
export async function clientOptions(
  service: LetterService,
  region: string | undefined,
  { settings, emit }: Reach,
) {
  const { kinesis } = settings.services;
  const { credentials } = kinesis;
  const where = region ?? kinesis.region;
  const fallback = kinesis.fallbackRegion;
  const reach = {
    credentials,
    ...(where !== undefined && { region: where }),
    ...(fallback !== undefined && { fallbackRegion: fallback }),
  };
  const services = { sqs: reach, sns: reach, s3: reach };
  const options: AwsOptions = await awsOptions({ services }, service, { emit });
  return {
    ...options,
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      throwOnRequestTimeout: true,
    },
  };
}

/** A client made with such options. */
export function sdkClient<Made extends Client<never, unknown>>(
  make: () => Made,
  { credentials }: AwsOptions,
): Made {
  const client = withoutVersionWarning(make);
  renewRefusedKeys(client, credentials);
  return client;
}

/** @throws UserError when the package is not there. */
export async function installed<T>(service: LetterService, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== "ERR_MODULE_NOT_FOUND") throw cause;
    const name = `@aws-sdk/client-${service}`;
    throw new UserError(
      `onFailureDestination = ${service}:… needs the package ${name}, which is not installed. Install it beside kinesis-multilang: npm install ${name}`,
      { cause },
    );
  }
}
