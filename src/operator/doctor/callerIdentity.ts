// Who are we, according to AWS? One signed call of STS, which needs no permission. Written out here, because the SDK's
// client for STS would be a dependency for this alone.

import { createHash, createHmac } from "node:crypto";

export interface SigningKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface ToSign {
  readonly method: string;
  readonly url: URL;
  /** Names in lower case; `host` and `x-amz-date` are added. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly region: string;
  readonly service: string;
}

export interface CallerIdentity {
  readonly account: string;
  readonly arn: string;
}

const LIMIT_MS = 5_000;

/** @returns `undefined` when STS cannot be reached or does not answer. @throws Error with what STS refused. */
export async function callerIdentity(
  keys: SigningKeys,
  region: string,
  signal: AbortSignal,
): Promise<CallerIdentity | undefined> {
  const { AWS_ENDPOINT_URL_STS: own } = process.env;
  const domain = region.startsWith("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
  const url = new URL(own || `https://sts.${region}.${domain}/`);
  const body = "Action=GetCallerIdentity&Version=2011-06-15";
  const headers = { "content-type": "application/x-www-form-urlencoded; charset=utf-8" };
  const toSign = { method: "POST", url, headers, body, region, service: "sts" };
  let response: Response;
  let text: string;
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)]);
    const signed = signedHeaders(toSign, keys, new Date());
    response = await fetch(url, { method: "POST", headers: signed, body, signal: limit });
    text = await response.text();
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

/** AWS's Signature Version 4, for requests without a query. */
export function signedHeaders(
  { method, url, headers, body, region, service }: ToSign,
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
