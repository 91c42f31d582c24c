// Parses `httpListen`: where the status page and its endpoints are served. Pure.

export type HttpAddress =
  | { readonly type: "unix"; readonly path: string }
  /** `host` without brackets; port 0 selects a free one. */
  | { readonly type: "tcp"; readonly host: string; readonly port: number };

export const HTTP_ADDRESS_FORM = "HOST:PORT such as 127.0.0.1:8080 or [::1]:8080, or unix:PATH";

const MAX_PORT = 65_535;
const TCP = /^(?:([a-z0-9][a-z0-9.-]*)|\[([0-9a-f:.]+)\]):(\d{1,5})$/i;

/** @returns `undefined` when the text has none of the forms. */
export function parseHttpAddress(text: string): HttpAddress | undefined {
  const path = /^unix:(.+)$/s.exec(text.trim())?.[1];
  if (path !== undefined) return { type: "unix", path };
  const [, name, literal, digits] = TCP.exec(text.trim()) ?? [];
  const host = (name ?? literal)?.toLowerCase();
  const port = Number(digits);
  return host !== undefined && port <= MAX_PORT ? { type: "tcp", host, port } : undefined;
}

/** Whether only this machine can reach the address. */
export function isLocal(address: HttpAddress): boolean {
  return address.type === "unix" || isLoopback(address.host);
}

export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

export function formatHttpAddress(address: HttpAddress): string {
  if (address.type === "unix") return `unix:${address.path}`;
  const { host, port } = address;
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
