// The SDK clients of the services that sinks write to. They use the credentials of the client that
// reads the stream, and the region that the destination names, else the stream's region. The SDK
// packages are not dependencies of this package: users install those that they need.

import { ProxyAgent } from "../aws/connections/proxied.ts";
import { withoutVersionWarning } from "../aws/kinesisClient.ts";
import { type AwsOptions, awsOptions } from "../aws/options.ts";
import { type Client, renewRefusedKeys } from "../aws/refusedKeys.ts";
import type { Settings } from "../config/settings.ts";
import type { Emit } from "../events.ts";
import { UserError } from "../model/errors.ts";

export interface ServiceContext {
  readonly settings: Pick<Settings, "services">;
  readonly emit: Emit;
  /** The longest time for one call, the SDK's retries included; `LIMIT_MS` when absent. */
  readonly limitMs?: number;
  /** Overrides the environment. */
  readonly endpoint?: string;
}

const LIMIT_MS = 60_000;

/** Without a limit, a call that hangs would block its shard. */
export function timeLimit(service: string, { limitMs = LIMIT_MS }: ServiceContext) {
  return { service, requestTimeoutMs: limitMs };
}

export type SinkService = "sqs" | "sns" | "s3";

const CONNECT_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 30_000;

/**
 * Options for the SDK's client. Users set the endpoint with AWS_ENDPOINT_URL, or with the variable
 * of the service, such as AWS_ENDPOINT_URL_SQS.
 */
export async function clientOptions(
  service: SinkService,
  region: string | undefined,
  { settings, emit, endpoint }: ServiceContext,
) {
  const { credentials, region: streamRegion, fallbackRegion } = settings.services.kinesis;
  const where = region ?? streamRegion;
  const connection = {
    credentials,
    ...(where !== undefined && { region: where }),
    ...(fallbackRegion !== undefined && { fallbackRegion }),
    ...(endpoint !== undefined && { endpoint }),
  };
  const services = { sqs: connection, sns: connection, s3: connection };
  const options: AwsOptions = await awsOptions({ services }, service, { emit });
  return {
    ...options,
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      throwOnRequestTimeout: true,
      httpsAgent: new ProxyAgent({ keepAlive: true }),
    },
  };
}

/** Makes a client that replaces credentials when the service rejects them. */
export function sdkClient<Made extends Client<never, unknown>>(
  make: () => Made,
  { credentials }: AwsOptions,
): Made {
  const client = withoutVersionWarning(make);
  renewRefusedKeys(client, credentials);
  return client;
}

/** @throws UserError when the package is not installed. */
export async function installed<T>(
  service: SinkService | "lib-storage",
  load: () => Promise<T>,
): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== "ERR_MODULE_NOT_FOUND") throw cause;
    const [name, user] =
      service === "lib-storage"
        ? ["@aws-sdk/lib-storage", "S3"]
        : [`@aws-sdk/client-${service}`, service.toUpperCase()];
    throw new UserError(
      `${user} needs the package ${name}, which is not installed. Install it beside kinesis-multilang: npm install ${name}`,
      { cause },
    );
  }
}
