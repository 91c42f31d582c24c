// Checks credentials and regions: whether there are any, whose credentials they are, and where the
// requests go.

import { type AwsOptions, awsOptions, isLoopback } from "../../aws/options.ts";
import type { Service, Settings } from "../../config/settings.ts";
import type { Event } from "../../events.ts";
import { UserError } from "../../model/errors.ts";
import { callerIdentity } from "./callerIdentity.ts";
import { errorText, type Finding, failed, ok, warning } from "./finding.ts";

/** Used where no region is known. Only the request that assumes a role needs one. */
const ANY_REGION = "us-east-1";

const SERVICES: readonly Service[] = ["kinesis", "dynamodb"];

/**
 * One finding for each set of credentials: each service may have its own.
 *
 * @param region the region in which they will be used; `undefined` when it is not known.
 */
export async function checkCredentials(
  settings: Pick<Settings, "services">,
  region: string | undefined,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const groups = new Map<unknown, Service[]>();
  for (const service of SERVICES) {
    const { credentials } = settings.services[service];
    groups.set(credentials, [...(groups.get(credentials) ?? []), service]);
  }
  const findings: Finding[] = [];
  for (const services of groups.values()) {
    const name = groups.size === 1 ? "credentials" : `credentials for ${services.join(", ")}`;
    findings.push(
      await checkOne(name, services[0] ?? "kinesis", settings, region ?? ANY_REGION, signal),
    );
  }
  return findings;
}

async function checkOne(
  check: string,
  service: Service,
  settings: Pick<Settings, "services">,
  region: string,
  signal: AbortSignal,
): Promise<Finding> {
  const { services } = settings;
  const notes: string[] = [];
  const emit = (event: Event) => event.type === "configWarning" && notes.push(event.message);
  const reach = { region, ...services[service] };
  const options = await awsOptions({ services: { ...services, [service]: reach } }, service, {
    emit,
  });
  try {
    const keys = await options.credentials();
    const expiry = keys.expiration ? `, valid until ${keys.expiration.toISOString()}` : "";
    const held = `access key …${keys.accessKeyId.slice(-4)}${sourceOf(keys)}${expiry}`;
    if (notes.length > 0) return ok(check, notes.join("\n"));
    if (options.endpoint !== undefined && isLoopback(options.endpoint)) {
      return ok(check, `${held}, for a local endpoint, which accepts any credentials`);
    }
    return await identified(check, held, keys, options, signal);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const [message = "", ...tried] = error.message.split("\n");
    return failed(check, [message, ...tried.slice(0, -1)].join("\n"), tried.at(-1));
  }
}

async function identified(
  check: string,
  held: string,
  keys: Awaited<ReturnType<AwsOptions["credentials"]>>,
  { region }: AwsOptions,
  signal: AbortSignal,
): Promise<Finding> {
  try {
    const identity = await callerIdentity(keys, region, signal);
    return identity
      ? ok(check, `${identity.arn} (account ${identity.account}), ${held}`)
      : ok(check, `${held}; STS cannot be reached, so the account is not known`);
  } catch (error) {
    signal.throwIfAborted();
    return failed(
      check,
      `AWS rejects the ${held} (${errorText(error)})`,
      "Renew these credentials: they may be expired, deleted or mistyped. Or name others with AwsCredentialsProvider.",
    );
  }
}

const SOURCES: Readonly<Record<string, string>> = {
  CREDENTIALS_ENV_VARS: "the environment",
  CREDENTIALS_PROFILE: "a profile",
  CREDENTIALS_PROFILE_PROCESS: "a profile's process",
  CREDENTIALS_PROCESS: "a process",
  CREDENTIALS_PROFILE_SSO: "single sign-on",
  CREDENTIALS_SSO: "single sign-on",
  CREDENTIALS_STS_ASSUME_ROLE: "an assumed role",
  CREDENTIALS_STS_ASSUME_ROLE_WEB_ID: "a web identity",
  CREDENTIALS_HTTP: "container metadata",
  CREDENTIALS_IMDS: "EC2 instance metadata",
};

/** The SDK records in the keys where it found them. */
function sourceOf(keys: object): string {
  if (!("$source" in keys) || typeof keys.$source !== "object" || !keys.$source) return "";
  const found = Object.keys(keys.$source).flatMap((name) => SOURCES[name] ?? []);
  return found.length > 0 ? ` from ${found.at(-1)}` : "";
}

export async function checkRegion(settings: Settings): Promise<{
  readonly finding: Finding;
  readonly reached?: { readonly kinesis: AwsOptions; readonly dynamodb: AwsOptions };
}> {
  try {
    const [kinesis, dynamodb] = await Promise.all([
      awsOptions(settings, "kinesis"),
      awsOptions(settings, "dynamodb"),
    ]);
    const places = `Kinesis ${placeOf(kinesis)}, DynamoDB ${placeOf(dynamodb)}`;
    const finding =
      kinesis.region === dynamodb.region
        ? ok("region", places)
        : warning(
            "region",
            `${places}: the stream and its leases are in different regions`,
            "If this is not intended, correct regionName, which applies to both, or dynamoDbClient.region, which applies to the table only.",
          );
    return { finding, reached: { kinesis, dynamodb } };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return {
      finding: failed(
        "region",
        error.message,
        "Set regionName in the properties file, or AWS_REGION.",
      ),
    };
  }
}

function placeOf({ region, endpoint }: AwsOptions): string {
  return endpoint === undefined ? region : `${region} at ${endpoint}`;
}
