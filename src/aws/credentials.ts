// Gets credentials from the providers that the configuration names, in their order. The SDK's
// providers are loaded when first used, so that unused ones do not slow the start down.

import type { AssumeRole, CredentialsProvider } from "../config/credentialsProvider.ts";
import type { Emit } from "../events.ts";
import { UserError } from "../model/errors.ts";
import { ProxyAgent } from "./connections/proxied.ts";
import { type Credentials, keepCredentials, type ProvideCredentials } from "./keptCredentials.ts";

/**
 * Services with the same list share one provider: a role is assumed once instead of three times.
 */
const shared = new WeakMap<readonly CredentialsProvider[], ProvideCredentials>();

export function sharedCredentials(
  providers: readonly CredentialsProvider[],
  region: string,
  emit: Emit,
): ProvideCredentials {
  const known = shared.get(providers);
  if (known) return known;
  const made = keepCredentials(() => firstOf(providers, region), { emit });
  shared.set(providers, made);
  return made;
}

async function firstOf(
  providers: readonly CredentialsProvider[],
  region: string,
): Promise<Credentials> {
  const tried: string[] = [];
  const causes: unknown[] = [];
  for (const provider of providers) {
    try {
      return await provide(provider, region);
    } catch (error) {
      tried.push(`\n  ${described(provider)}: ${error instanceof Error ? error.message : error}`);
      causes.push(error);
    }
  }
  throw new UserError(
    `no AWS credentials found; tried:${tried.join("")}\nProvide one of them, or name another provider with AwsCredentialsProvider.`,
    { cause: causes.length === 1 ? causes[0] : new AggregateError(causes) },
  );
}

async function provide(provider: CredentialsProvider, region: string): Promise<Credentials> {
  if (provider.type === "anonymous") return ANONYMOUS;
  const sdk = await import("@aws-sdk/credential-providers");
  switch (provider.type) {
    case "default":
      return await defaultChain(sdk, region);
    case "environment":
      return await sdk.fromEnv()();
    case "profile": {
      const { profileName } = provider;
      return await sdk.fromIni({
        ...fresh(region),
        ...(profileName !== undefined && { profile: profileName }),
      })();
    }
    case "instanceProfile":
      return await sdk.fromInstanceMetadata({ maxRetries: 3 })();
    case "container":
      return await sdk.fromHttp()();
    case "containerOrInstance": {
      const inside = CONTAINER_VARIABLES.some((name) => process.env[name]);
      return await provide({ type: inside ? "container" : "instanceProfile" }, region);
    }
    case "webIdentity":
      return await sdk.fromTokenFile(fresh(region))();
    case "assumeRole":
      return await assumeRole(sdk, provider, region);
  }
}

const CONTAINER_VARIABLES = [
  "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
  "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];

/** The SDK needs keys to sign a request. A service that allows anonymous access ignores them. */
const ANONYMOUS: Credentials = { accessKeyId: "anonymous", secretAccessKey: "anonymous" };

/**
 * Makes the SDK read ~/.aws/credentials and ~/.aws/config again instead of using its cached text.
 * STS is called in the region of the service, unless the profile names another one.
 */
function fresh(region: string) {
  return { ignoreCache: true, parentClientConfig: { region }, clientConfig: throughProxy() };
}

/** Single sign-on and STS use the SDK's handler, which knows no proxies. */
function throughProxy() {
  return { requestHandler: { httpsAgent: new ProxyAgent() } };
}

type Sdk = typeof import("@aws-sdk/credential-providers");

/** Keys in the environment come first, as in Java. The SDK for JavaScript prefers AWS_PROFILE. */
async function defaultChain(sdk: Sdk, region: string): Promise<Credentials> {
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret } = process.env;
  return id && secret ? await sdk.fromEnv()() : await sdk.fromNodeProviderChain(fresh(region))();
}

async function assumeRole(sdk: Sdk, role: AssumeRole, region: string): Promise<Credentials> {
  const provider = sdk.fromTemporaryCredentials({
    params: {
      RoleArn: role.roleArn,
      RoleSessionName: role.roleSessionName,
      ...(role.externalId !== undefined && { ExternalId: role.externalId }),
    },
    masterCredentials: () => defaultChain(sdk, region),
    clientConfig: {
      ...throughProxy(),
      region: role.region ?? region,
      ...(role.endpoint !== undefined && { endpoint: role.endpoint }),
    },
  });
  return await provider();
}

function described(provider: CredentialsProvider): string {
  switch (provider.type) {
    case "default":
      return (
        "default chain (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, the profile in ~/.aws/credentials and ~/.aws/config, " +
        "single sign-on, AWS_WEB_IDENTITY_TOKEN_FILE, container metadata, EC2 instance metadata)"
      );
    case "environment":
      return "environment (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)";
    case "profile":
      return `profile ${provider.profileName ?? "of AWS_PROFILE, or default,"} in ~/.aws/credentials and ~/.aws/config`;
    case "instanceProfile":
      return "EC2 instance metadata";
    case "container":
      return "container metadata (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or …_FULL_URI)";
    case "containerOrInstance":
      return "container metadata (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or …_FULL_URI), or EC2 instance metadata if neither is set";
    case "webIdentity":
      return "web identity (AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN)";
    case "anonymous":
      return "anonymous";
    case "assumeRole":
      return `role ${provider.roleArn}`;
  }
}

/**
 * Credentials for an endpoint on this machine, which is an emulator and accepts any keys. Keys from
 * the environment or a profile are used; without them, made-up ones. Metadata services are not
 * called: where they do not exist, a call takes seconds to fail.
 */
export function localCredentials(endpoint: string, region: string, emit: Emit): ProvideCredentials {
  const provide = async () => {
    const { fromEnv, fromIni } = await import("@aws-sdk/credential-providers");
    try {
      return await fromEnv()().catch(() => fromIni(fresh(region))());
    } catch {
      const message = `no AWS credentials found; using made-up ones for the local endpoint ${endpoint}`;
      emit({ type: "configWarning", message });
      return { accessKeyId: "local", secretAccessKey: "local" };
    }
  };
  return keepCredentials(provide, { emit });
}
