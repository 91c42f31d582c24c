// Which proxy a call goes through: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, read as curl
// and Go read them. An address of this machine never goes through a proxy.

import { BlockList, isIP } from "node:net";

export interface Origin {
  readonly tls: boolean;
  /** A host name or an IP address, without brackets. */
  readonly host: string;
  readonly port: number;
}

export interface HttpProxy {
  readonly origin: Origin;
  /** The value of `Proxy-Authorization`. */
  readonly authorization: string | undefined;
  /** Where it is and which variable names it, without the password. */
  readonly shown: string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** The connection to the service could not be made, because of the proxy. */
export class ProxyFailed extends Error {
  override readonly name = "ProxyFailed";
  readonly code = "EPROXY";
}

/** @throws ProxyFailed when the variable's value is no URL of a proxy. */
export function proxyFor(origin: Origin, environment: Environment): HttpProxy | undefined {
  const names = [origin.tls ? "HTTPS_PROXY" : "HTTP_PROXY", "ALL_PROXY"].flatMap((name) => [
    name.toLowerCase(),
    name,
  ]);
  const name = names.find((each) => environment[each]);
  if (name === undefined || isThisMachine(origin.host)) return undefined;
  const exceptions = environment["no_proxy"] || environment["NO_PROXY"] || "";
  if (exceptions.split(/[\s,]+/).some((each) => each !== "" && covers(each, origin))) {
    return undefined;
  }
  return parseProxy(name, environment[name] ?? "");
}

/** The host of a URL, without the brackets of IPv6. */
export const withoutBrackets = (hostname: string): string => hostname.replace(/^\[(.*)\]$/, "$1");

export function isThisMachine(host: string): boolean {
  return /^(localhost|.+\.localhost|127(\.\d+){3}|::1)$/i.test(host);
}

/** An entry of NO_PROXY: `*`, a host with all below it, an address or a range, each with a port. */
function covers(entry: string, { host, port }: Origin): boolean {
  if (entry === "*") return true;
  const [, bracketed, plain = "", entryPort] = /^(?:\[(.+)\]|(.*?))(?::(\d+))?$/.exec(entry) ?? [];
  const isAddress = isIP(entry) !== 0 || entry.includes("/");
  if (!isAddress && entryPort !== undefined && Number(entryPort) !== port) return false;
  const name = isAddress ? entry : (bracketed ?? plain);
  if (isIP(host) !== 0) return isInRange(host, name);
  const suffix = name.toLowerCase().replace(/^\*?\.?/, "");
  const known = host.toLowerCase().replace(/\.$/, "");
  return known === suffix || known.endsWith(`.${suffix}`);
}

function isInRange(address: string, range: string): boolean {
  const [network = "", bits] = range.split("/");
  const family = isIP(network);
  if (family === 0 || family !== isIP(address)) return false;
  const longest = family === 4 ? 32 : 128;
  const prefix = bits === undefined ? longest : Number(bits);
  if (!Number.isInteger(prefix) || prefix < 0 || prefix > longest) return false;
  const list = new BlockList();
  const type = family === 4 ? "ipv4" : "ipv6";
  list.addSubnet(network, prefix, type);
  return list.check(address, type);
}

function parseProxy(name: string, value: string): HttpProxy {
  const text = /^[a-z][a-z\d+.-]*:\/\//i.test(value) ? value : `http://${value}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url?.hostname || !["http:", "https:"].includes(url.protocol)) {
    throw new ProxyFailed(
      `${name} is not the URL of a proxy. Write it as http://HOST:PORT or https://HOST:PORT, with USER:PASSWORD@ before the host if the proxy needs them.`,
    );
  }
  const tls = url.protocol === "https:";
  const { username, password } = url;
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return {
    origin: {
      tls,
      host: withoutBrackets(url.hostname),
      port: Number(url.port || (tls ? 443 : 80)),
    },
    authorization: username ? `Basic ${Buffer.from(credentials).toString("base64")}` : undefined,
    shown: `${url.protocol}//${url.host} (${name})`,
  };
}
