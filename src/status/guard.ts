// Who may do what. Reading is open on an address that only this machine reaches; elsewhere it needs
// the token, unless the user has allowed everybody to read. A change needs the token, or a Unix
// socket, whose file says who may connect.
//
// A web page in a browser on this machine can send requests to it, too. Two checks keep such pages
// out: the name in `Host` must be one that no foreign page can have (its owner could let it resolve
// to 127.0.0.1), and a change must not come from another origin.

import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { type HttpAddress, isLocal, isLoopback } from "../model/httpAddress.ts";

export interface Access {
  readonly address: HttpAddress;
  readonly token: string | undefined;
  /** Everybody who reaches the address may read. */
  readonly allowRemote: boolean;
  /** The name of this machine. */
  readonly hostname: string;
}

/** Why a request is refused. */
export interface Refusal {
  readonly status: 401 | 403 | 421;
  readonly message: string;
}

type Need = "probe" | "read" | "change";

export function refusalOf(
  request: IncomingMessage,
  need: Need,
  access: Access,
): Refusal | undefined {
  if (access.address.type === "unix") return undefined;
  const { headers } = request;
  if (!isOurName(headers.host, access)) {
    const message = `${headers.host ?? "no name"} is not a name of this machine. Use its address or its host name.`;
    return { status: 421, message };
  }
  if (need === "probe") return undefined;
  if (need === "change") return refusedChange(request, access);
  const isOpen = isLocal(access.address) || access.allowRemote;
  if (isOpen || hasToken(headers.authorization, access.token)) return undefined;
  return { status: 401, message: "This address needs the token of httpToken." };
}

function refusedChange(
  { headers }: IncomingMessage,
  { token }: Pick<Access, "token">,
): Refusal | undefined {
  const site = headers["sec-fetch-site"] ?? "none";
  const origin = headers.origin ?? "";
  const isForeign = origin !== "" && origin.replace(/^https?:\/\//, "") !== headers.host;
  if (isForeign || !["none", "same-origin"].includes(String(site))) {
    return { status: 403, message: "Requests of other web pages are refused." };
  }
  if (token === undefined) {
    const message =
      "Changes are possible over a Unix socket (httpListen = unix:PATH), or with the token of httpToken, which is not set.";
    return { status: 403, message };
  }
  if (hasToken(headers.authorization, token)) return undefined;
  return { status: 401, message: "This request needs the token of httpToken." };
}

/** Names that are not registered with anybody outside. */
const INTERNAL = /\.(localhost|local|internal|svc|lan|test)$/;

function isOurName(host: string | undefined, { address, hostname }: Access): boolean {
  // Only clients of HTTP/1.0 send none, and no browser does.
  if (host === undefined) return true;
  const name = host.replace(/:\d+$/, "").toLowerCase();
  const bare = name.replace(/^\[(.+)\]$/, "$1");
  if (isLoopback(bare)) return true;
  if (isLocal(address)) return false;
  const isInternal = !name.includes(".") || INTERNAL.test(name);
  return isIP(bare) !== 0 || isInternal || name === hostname.toLowerCase();
}

/** `Bearer TOKEN`, or `Basic` with the token as the password, which is how browsers ask for it. */
function hasToken(authorization: string | undefined, token: string | undefined): boolean {
  const [, scheme = "", value = ""] = /^(\w+) +(\S+)$/.exec(authorization ?? "") ?? [];
  if (token === undefined || value === "") return false;
  if (/^bearer$/i.test(scheme)) return isSame(value, token);
  const password = Buffer.from(value, "base64")
    .toString("utf8")
    .replace(/^[^:]*:/, "");
  return /^basic$/i.test(scheme) && isSame(password, token);
}

/** Compares in a time that does not depend on how much is right. */
function isSame(one: string, other: string): boolean {
  const hash = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(hash(one), hash(other));
}
