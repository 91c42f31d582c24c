// Asks AWS STS whose credentials these are, with one signed request that needs no permission. The
// request is signed here, because the SDK's client for STS would be a dependency for this request
// alone.

import { createHash, createHmac } from "node:crypto";
import { limited } from "../../aws/limited.ts";

export interface SigningKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface UnsignedRequest {
  readonly method: string;
  readonly url: URL;
  /** The names are in lower case. Signing adds `host` and `x-amz-date`. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly region: string;
  readonly service: string;
}

export interface CallerIdentity {
  readonly account: string;
  readonly arn: string;
}

const LIMIT = { service: "STS", requestTimeoutMs: 5_000 };

/**
 * @returns `undefined` when STS cannot be reached or does not respond in time.
 * @throws Error with the code and message of STS when it rejects the credentials.
 */
export async function callerIdentity(
  keys: SigningKeys,
  region: string,
  signal: AbortSignal,
): Promise<CallerIdentity | undefined> {
  const { AWS_ENDPOINT_URL_STS: endpoint } = process.env;
  const domain = region.startsWith("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
  const url = new URL(endpoint || `https://sts.${region}.${domain}/`);
  const body = "Action=GetCallerIdentity&Version=2011-06-15";
  const headers = { "content-type": "application/x-www-form-urlencoded; charset=utf-8" };
  const request = { method: "POST", url, headers, body, region, service: "sts" };
  let response: Response;
  let text: string;
  try {
    const signed = signedHeaders(request, keys, new Date());
    [response, text] = await limited(LIMIT, "GetCallerIdentity", signal, async (abort) => {
      const init = { method: "POST", headers: signed, body, signal: abort };
      const received = await fetch(url, init);
      return [received, await received.text()] as const;
    });
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
  const field = (name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1];
  if (!response.ok)
    throw new Error(`${field("Code") ?? response.status}: ${field("Message") ?? ""}`);
  const [account, arn] = [field("Account"), field("Arn")];
  return account && arn ? { account, arn } : undefined;
}

/** Signs a request without a query with AWS Signature Version 4. */
export function signedHeaders(
  { method, url, headers, body, region, service }: UnsignedRequest,
  { accessKeyId, secretAccessKey, sessionToken }: SigningKeys,
  now: Date,
): Record<string, string> {
  const time = now.toISOString().replace(/[-:]|\.\d+/g, "");
  const day = time.slice(0, 8);
  const all: Record<string, string> = {
    ...headers,
    host: url.host,
    "x-amz-date": time,
    ...(sessionToken && { "x-amz-security-token": sessionToken }),
  };
  const names = Object.keys(all).sort();
  const lines = names.map((name) => `${name}:${(all[name] ?? "").trim()}\n`).join("");
  const canonical = [method, url.pathname, "", lines, names.join(";"), sha256(body)].join("\n");
  const scope = `${day}/${region}/${service}/aws4_request`;
  const toSign = ["AWS4-HMAC-SHA256", time, scope, sha256(canonical)].join("\n");
  const key = [day, region, service, "aws4_request"].reduce<string | Buffer>(
    (secret, part) => hmac(secret, part),
    `AWS4${secretAccessKey}`,
  );
  const signature = hmac(key, toSign).toString("hex");
  const authorization = `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${names.join(";")}, Signature=${signature}`;
  const { host: _, ...sent } = all;
  return { ...sent, authorization };
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}
