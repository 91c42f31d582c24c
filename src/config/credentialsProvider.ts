// Reads the value of AwsCredentialsProvider…: `Name|argument|…`, several separated by commas and
// tried in that order. Decides which providers the text names; aws/credentials.ts builds them.

export type CredentialsProvider =
  | { readonly type: "default" }
  | { readonly type: "environment" }
  | { readonly type: "profile"; readonly profileName?: string }
  | { readonly type: "instanceProfile" }
  | { readonly type: "container" }
  /** Inside a container with its own credentials endpoint that one, otherwise the instance's. */
  | { readonly type: "containerOrInstance" }
  | { readonly type: "webIdentity" }
  | { readonly type: "anonymous" }
  | AssumeRole;

export interface AssumeRole {
  readonly type: "assumeRole";
  readonly roleArn: string;
  readonly roleSessionName: string;
  readonly externalId?: string;
  /** The region of STS; the region chain decides when it is absent. */
  readonly region?: string;
  readonly endpoint?: string;
}

export interface ProvidersText {
  /** Empty only when there are problems. */
  readonly providers: readonly CredentialsProvider[];
  readonly problems: readonly string[];
  /** Items that are skipped, as in Java, because another one can be built; unknown arguments. */
  readonly warnings: readonly string[];
}

const PLAIN: Readonly<Record<string, CredentialsProvider>> = {
  DefaultCredentialsProvider: { type: "default" },
  EnvironmentVariableCredentialsProvider: { type: "environment" },
  ProfileCredentialsProvider: { type: "profile" },
  InstanceProfileCredentialsProvider: { type: "instanceProfile" },
  ContainerCredentialsProvider: { type: "container" },
  WebIdentityTokenFileCredentialsProvider: { type: "webIdentity" },
  AnonymousCredentialsProvider: { type: "anonymous" },
  EC2ContainerCredentialsProviderWrapper: { type: "containerOrInstance" },
};

const ASSUME_ROLE = ["StsAssumeRoleCredentialsProvider", "KclStsAssumeRoleCredentialsProvider"];

const KNOWN = [...Object.keys(PLAIN), `${ASSUME_ROLE[0]}|ROLE_ARN|SESSION_NAME`].join(", ");

/** The packages in which the Java daemon looks for these names, those of KCL 2.x included. */
const PACKAGES =
  /^(software\.amazon\.(kinesis\.multilang\.auth|awssdk\.auth\.credentials|awssdk\.services\.sts\.auth)|com\.amazonaws\.(auth(\.profile)?|services\.kinesis\.multilang\.auth))\./;

/** Names of SDK v1, which KCL used up to 2.x, and their names in SDK v2. */
const OLD_NAMES: Readonly<Record<string, string>> = {
  DefaultAWSCredentialsProviderChain: "DefaultCredentialsProvider",
  WebIdentityTokenCredentialsProvider: "WebIdentityTokenFileCredentialsProvider",
  STSAssumeRoleSessionCredentialsProvider: "StsAssumeRoleCredentialsProvider",
  KclSTSAssumeRoleSessionCredentialsProvider: "KclStsAssumeRoleCredentialsProvider",
};

const SYSTEM_PROPERTIES = /^SystemPropert(y|ies)CredentialsProvider$/;

type Read = {
  readonly provider?: CredentialsProvider;
  readonly problem?: string;
  readonly warnings?: readonly string[];
};

export function parseCredentialsProviders(text: string): ProvidersText {
  const items = text
    .split(",")
    .map((item) => item.trim())
    .filter(Boolean);
  const read = items.map(readProvider);
  const providers = read.flatMap(({ provider }) => provider ?? []);
  const unbuildable = read.flatMap(({ problem }) => problem ?? []);
  const warnings = read.flatMap((item) => item.warnings ?? []);
  if (providers.length === 0) {
    const problems = items.length > 0 ? unbuildable : [`names no provider; known: ${KNOWN}`];
    return { providers, problems, warnings };
  }
  const skipped = unbuildable.map((problem) => `${problem}; skipped`);
  return { providers, problems: [], warnings: [...skipped, ...warnings] };
}

function readProvider(item: string): Read {
  const [className = "", ...args] = item.split("|").map((part) => part.trim());
  const bare = className.replace(PACKAGES, "");
  const name = (Object.hasOwn(OLD_NAMES, bare) && OLD_NAMES[bare]) || bare;
  const read = readNamed(name, className, args);
  if (!read.provider || (name === bare && !className.startsWith("com.amazonaws."))) return read;
  const warning = `${className} is a name from SDK v1; ${name} is used`;
  return { ...read, warnings: [warning, ...(read.warnings ?? [])] };
}

/** @param className the name as the user wrote it. */
function readNamed(name: string, className: string, args: readonly string[]): Read {
  if (ASSUME_ROLE.includes(name)) return readAssumeRole(name, args);
  if (SYSTEM_PROPERTIES.test(name)) {
    return {
      problem: `the credentials provider ${className} is not supported: it reads the system properties of a Java virtual machine. Set the environment variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and use EnvironmentVariableCredentialsProvider`,
    };
  }
  const plain = Object.hasOwn(PLAIN, name) ? PLAIN[name] : undefined;
  if (!plain) return { problem: `unknown credentials provider ${className}; known: ${KNOWN}` };
  if (plain.type === "profile") return readProfile(name, args);
  if (args.length === 0) return { provider: plain };
  return { provider: plain, warnings: [`${name} takes no arguments; they are ignored`] };
}

function readProfile(name: string, [profileName, ...more]: readonly string[]): Read {
  if (more.length > 0) return { problem: `${name} takes one argument, the name of a profile` };
  return { provider: { type: "profile", ...(profileName && { profileName }) } };
}

function readAssumeRole(name: string, args: readonly string[]): Read {
  const [roleArn, roleSessionName, ...named] = args;
  if (!roleArn || !roleSessionName) {
    return { problem: `${name} needs a role and a session name: ${name}|ROLE_ARN|SESSION_NAME` };
  }
  const warnings: string[] = [];
  let provider: AssumeRole = { type: "assumeRole", roleArn, roleSessionName };
  for (const argument of named) {
    const [key = "", value, ...more] = argument.split("=");
    if (value === undefined || more.length > 0) {
      // The text may be a secret, so it is not shown.
      warnings.push(`${name}: an argument that does not have the form key=value is ignored`);
    } else if (key === "externalId") {
      provider = { ...provider, externalId: value };
    } else if (key === "endpointRegion") {
      provider = { ...provider, region: value };
    } else if (key === "endpoint") {
      const [endpoint, region, ...rest] = value.split("^");
      if (!endpoint || !region || rest.length > 0) {
        return { problem: `${name}: endpoint must be SERVICE_ENDPOINT^SIGNING_REGION` };
      }
      const url = /^[a-z]+:\/\//i.test(endpoint) ? endpoint : `https://${endpoint}`;
      if (!URL.canParse(url)) return { problem: `${name}: the endpoint ${url} is not a URL` };
      provider = { ...provider, endpoint: url, region };
    } else {
      warnings.push(
        `${name}: unknown argument ${key} is ignored; known: externalId, endpointRegion, endpoint`,
      );
    }
  }
  return { provider, warnings };
}
