// Where a producer accepts clients.

export type ListenAddress =
  | { readonly type: "unix"; readonly path: string }
  | { readonly type: "http"; readonly host: string; readonly port: number };

/** @returns the address, or what is wrong with it. */
export function parseListenAddress(text: string): ListenAddress | string {
  if (text.startsWith("unix:") && text.length > 5) return { type: "unix", path: text.slice(5) };
  if (!text.startsWith("http://") || !URL.canParse(text)) {
    return "Allowed: unix:PATH, or http://127.0.0.1:PORT";
  }
  const { hostname, port, pathname } = new URL(text);
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  if (!/^(localhost|127(\.\d+){3}|::1)$/.test(host) || pathname !== "/") {
    return "Clients do not authenticate, so only loopback addresses such as http://127.0.0.1:9099 are allowed";
  }
  return { type: "http", host, port: Number(port || 80) };
}
