// The options of the SDK's clients for each AWS service: region, endpoint and credentials. The
// callers make the clients.

import type { ServiceSettings } from "../config/settings.ts";
import type { Emit } from "../events.ts";
import { UserError } from "../model/errors.ts";
import { isThisMachine, withoutBrackets } from "./connections/proxy.ts";
import { localCredentials, sharedCredentials } from "./credentials.ts";
import type { ProvideCredentials } from "./keptCredentials.ts";
import { findRegion, REGION_PLACES } from "./region.ts";

/** Spread these into the configuration of an SDK client. */
export interface AwsOptions {
  readonly region: string;
  readonly endpoint?: string;
  readonly credentials: ProvideCredentials;
  readonly useDualstackEndpoint?: boolean;
  readonly useFipsEndpoint?: boolean;
}

export interface AwsSurroundings {
  readonly environment?: Environment;
  /**
   * Receives failures to renew credentials, and warnings about made-up ones for a local endpoint.
   */
  readonly emit?: Emit;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Finds a region when none is configured, which may call the instance metadata service. Credentials
 * are looked up at the first call.
 *
 * @throws UserError when no region is found.
 */
export async function awsOptions<Service extends string>(
  settings: { readonly services: Readonly<Record<Service, ServiceSettings>> },
  service: Service,
  { environment = process.env, emit = () => {} }: AwsSurroundings = {},
): Promise<AwsOptions> {
  const reach = settings.services[service];
  const endpoint = reach.endpoint ?? endpointInEnvironment(service, environment);
  const local = endpoint !== undefined && isLoopback(endpoint);
  const region = reach.region ?? (await regionFor(service, reach, environment, local));
  const providers = reach.credentials;
  const credentials =
    local && providers.every(({ type }) => type === "default")
      ? localCredentials(endpoint, region, emit)
      : sharedCredentials(providers, region, emit);
  return {
    region,
    credentials,
    ...(endpoint !== undefined && { endpoint }),
    ...(reach.dualstackEnabled !== undefined && { useDualstackEndpoint: reach.dualstackEnabled }),
    ...(reach.fipsEnabled !== undefined && { useFipsEndpoint: reach.fipsEnabled }),
  };
}

/** The SDK reads these variables, too. We need them to recognise a local endpoint. */
function endpointInEnvironment(service: string, environment: Environment): string | undefined {
  const {
    AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: ignored,
    AWS_ENDPOINT_URL: all,
    [`AWS_ENDPOINT_URL_${service.toUpperCase()}`]: own,
  } = environment;
  return ignored?.toLowerCase() === "true" ? undefined : own || all || undefined;
}

export function isLoopback(endpoint: string): boolean {
  if (!URL.canParse(endpoint)) return false;
  return isThisMachine(withoutBrackets(new URL(endpoint).hostname));
}

const LOCAL_REGION = "us-east-1";

async function regionFor(
  service: string,
  { fallbackRegion }: ServiceSettings,
  environment: Environment,
  local: boolean,
): Promise<string> {
  const { AWS_REGION: nearest } = environment;
  // An emulator accepts any region, so the instance metadata service is not called.
  const found = nearest || (local ? LOCAL_REGION : await findRegion(environment));
  const region = found || fallbackRegion;
  if (region) return region;
  throw new UserError(
    `no AWS region for ${service}: set regionName, or name a region in one of these places: ${REGION_PLACES}`,
  );
}
