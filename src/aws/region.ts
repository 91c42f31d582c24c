// Finds the region when none is configured, in the places and the order of the AWS SDK for Java.
// The SDK for JavaScript ignores the instance metadata, so a configuration without a region that
// works on EC2 with Java would fail without this.

import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

interface Environment {
  readonly AWS_REGION?: string | undefined;
  readonly AWS_DEFAULT_REGION?: string | undefined;
  readonly AWS_PROFILE?: string | undefined;
  readonly AWS_CONFIG_FILE?: string | undefined;
  readonly AWS_SHARED_CREDENTIALS_FILE?: string | undefined;
  readonly AWS_EC2_METADATA_DISABLED?: string | undefined;
  readonly AWS_EC2_METADATA_SERVICE_ENDPOINT?: string | undefined;
}

/** For error messages. */
export const REGION_PLACES =
  "AWS_REGION, the profile in ~/.aws/config, AWS_DEFAULT_REGION, EC2 instance metadata";

/** Returns `undefined` when no place names a region. Never rejects. */
export async function findRegion(environment: Environment): Promise<string | undefined> {
  return (
    environment.AWS_REGION ||
    (await regionOfProfile(environment)) ||
    environment.AWS_DEFAULT_REGION ||
    (await regionOfInstance(environment))
  );
}

async function regionOfProfile(environment: Environment): Promise<string | undefined> {
  const profile = environment.AWS_PROFILE || "default";
  const folder = join(homedir(), ".aws");
  const config = environment.AWS_CONFIG_FILE || join(folder, "config");
  const credentials = environment.AWS_SHARED_CREDENTIALS_FILE || join(folder, "credentials");
  for (const file of [config, credentials]) {
    const text = await readFile(file, "utf8").catch(() => "");
    const region = regionIn(text, profile);
    if (region) return region;
  }
  return undefined;
}

/** The value of `region` in the section `[name]` or `[profile name]`. */
export function regionIn(text: string, profile: string): string | undefined {
  let inside = false;
  for (const line of text.split(/\r?\n/)) {
    const section = /^\s*\[\s*(?:profile\s+)?["']?([^\]"']*?)["']?\s*\]/.exec(line);
    if (section) inside = section[1] === profile;
    // The pattern excludes indented lines: they belong to a nested setting.
    const region = /^region\s*=\s*(\S+)/.exec(line)?.[1];
    if (inside && region) return region;
  }
  return undefined;
}

/** On EC2 the metadata service responds at once; elsewhere nothing responds at its address. */
const METADATA_LIMIT_MS = 1_000;

async function regionOfInstance(environment: Environment): Promise<string | undefined> {
  if (environment.AWS_EC2_METADATA_DISABLED?.toLowerCase() === "true") return undefined;
  const base = environment.AWS_EC2_METADATA_SERVICE_ENDPOINT || "http://169.254.169.254";
  const call = async (path: string, method: string, headers: Record<string, string>) => {
    const signal = AbortSignal.timeout(METADATA_LIMIT_MS);
    const response = await fetch(new URL(path, base), { method, headers, signal });
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
    return (await response.text()).trim();
  };
  try {
    const token = await call("/latest/api/token", "PUT", {
      "x-aws-ec2-metadata-token-ttl-seconds": "60",
    });
    const region = await call("/latest/meta-data/placement/region", "GET", {
      "x-aws-ec2-metadata-token": token,
    });
    return /^[a-z0-9-]+$/.test(region) ? region : undefined;
  } catch {
    return undefined;
  }
}
