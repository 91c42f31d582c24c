// Copies a request that the SDK has made and signed, with another body and date: endpoint, headers
// and the scope of the signature are the SDK's. Signs by AWS Signature Version 4:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html

import { createHmac, hash } from "node:crypto";
import type { SdkRequest } from "./connections/keptConnections.ts";
import type { Credentials } from "./keptCredentials.ts";

/** Headers that differ in each call, or that only count the SDK's attempts. */
const NOT_COPIED = [
  "authorization",
  "x-amz-date",
  "x-amz-content-sha256",
  "x-amz-security-token",
  "content-length",
  "amz-sdk-invocation-id",
  "amz-sdk-request",
];
const ALGORITHM = "AWS4-HMAC-SHA256";
const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=[^/]+\/\d{8}\/([^/]+)\/([^/]+)\/aws4_request, SignedHeaders=([^,]+),/;

interface Scope {
  readonly region: string;
  readonly service: string;
}

export class RequestTemplate {
  readonly #request: SdkRequest;
  readonly #keys: Credentials;
  readonly #scope: Scope;
  /** Of the copied headers, and the session token. */
  readonly #headers: Readonly<Record<string, string>>;
  readonly #signedNames: string;
  /** The lines of the canonical request for the signed headers; `undefined` stands for the date. */
  readonly #lines: readonly (string | undefined)[];
  #signingKey: { readonly day: string; readonly key: Buffer } | undefined;

  private constructor(
    request: SdkRequest,
    keys: Credentials,
    scope: Scope,
    signed: readonly string[],
  ) {
    this.#request = request;
    this.#keys = keys;
    this.#scope = scope;
    const copied = Object.entries(request.headers).filter(([name]) => !NOT_COPIED.includes(name));
    const { sessionToken } = keys;
    this.#headers = {
      ...Object.fromEntries(copied),
      ...(sessionToken !== undefined && { "x-amz-security-token": sessionToken }),
    };
    const isSigned = (name: string) => signed.includes(name) || name === "x-amz-security-token";
    const names = [...Object.keys(this.#headers).filter(isSigned), DATE].sort();
    this.#signedNames = names.join(";");
    this.#lines = names.map((name) =>
      name === DATE ? undefined : `${name}:${canonical(this.#headers[name] ?? "")}\n`,
    );
  }

  /**
   * @param keys those that signed the request.
   * @returns `undefined` for a request of another form: only the SDK can repeat it.
   */
  static of(request: SdkRequest, keys: Credentials): RequestTemplate | undefined {
    const { method, path, query = {}, headers } = request;
    const [, region, service, signed] = AUTHORIZATION.exec(headers["authorization"] ?? "") ?? [];
    if (region === undefined || service === undefined || signed === undefined) return undefined;
    if (method !== "POST" || path !== "/" || Object.keys(query).length > 0) return undefined;
    return new RequestTemplate(request, keys, { region, service }, signed.split(";"));
  }

  /** With other keys the SDK might choose another endpoint. */
  isFor({ accessKeyId, secretAccessKey, sessionToken }: Credentials): boolean {
    return (
      accessKeyId === this.#keys.accessKeyId &&
      secretAccessKey === this.#keys.secretAccessKey &&
      sessionToken === this.#keys.sessionToken
    );
  }

  request(body: string, now: Date): SdkRequest {
    const date = now.toISOString().replace(/[-:]|\.\d{3}/g, "");
    const headers = {
      ...this.#headers,
      [DATE]: date,
      "content-length": String(Buffer.byteLength(body)),
      authorization: this.#authorization(body, date),
    };
    return { ...this.#request, headers, body };
  }

  #authorization(body: string, date: string): string {
    const { region, service } = this.#scope;
    const day = date.slice(0, 8);
    const scope = `${day}/${region}/${service}/aws4_request`;
    const lines = this.#lines.map((line) => line ?? `${DATE}:${date}\n`).join("");
    const names = this.#signedNames;
    const canonicalRequest = `POST\n/\n\n${lines}\n${names}\n${hash("sha256", body)}`;
    const toSign = `${ALGORITHM}\n${date}\n${scope}\n${hash("sha256", canonicalRequest)}`;
    const signature = hmac(this.#keyOf(day), toSign).toString("hex");
    return `${ALGORITHM} Credential=${this.#keys.accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
  }

  #keyOf(day: string): Buffer {
    if (this.#signingKey?.day !== day) {
      const { region, service } = this.#scope;
      const secret = Buffer.from(`AWS4${this.#keys.secretAccessKey}`);
      const key = [day, region, service, "aws4_request"].reduce(hmac, secret);
      this.#signingKey = { day, key };
    }
    return this.#signingKey.key;
  }
}

const DATE = "x-amz-date";

function canonical(value: string): string {
  return value.trim().replace(/\s+/g, " ");
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}
