// TLS in front of servers that have none, at an address that is not this machine's loopback: what
// a service looks like from a host that reaches it through a proxy.

import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { type AddressInfo, connect, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { createServer } from "node:tls";
import { execa } from "execa";
import { onTestFinished } from "vitest";
import { temporaryFolder } from "./daemon.ts";

export interface Certificate {
  /** An address of this machine on a network. */
  readonly host: string;
  /** For NODE_EXTRA_CA_CERTS. */
  readonly file: string;
  readonly cert: string;
  readonly key: string;
}

/** `undefined` on a machine without a network, or without openssl. */
export async function makeCertificate(): Promise<Certificate | undefined> {
  const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  const host = addresses.find(({ internal, family }) => !internal && family === "IPv4")?.address;
  if (host === undefined) return undefined;
  const folder = await temporaryFolder();
  const [file, keyFile] = [join(folder, "certificate.pem"), join(folder, "key.pem")];
  const what = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const names = ["-subj", "/CN=test", "-addext", `subjectAltName=IP:${host}`, "-days", "2"];
  const made = await execa(
    "openssl",
    ["req", ...what, ...names, "-out", file, "-keyout", keyFile],
    { reject: false },
  );
  if (made.failed) return undefined;
  const [cert, key] = await Promise.all([readFile(file, "utf8"), readFile(keyFile, "utf8")]);
  return { host, file, cert, key };
}

export interface TlsFront {
  readonly url: string;
  /** The protocol of each connection so far. */
  readonly protocols: readonly string[];
}

/** @param behind the URLs of the servers for HTTP/1.1 and, without TLS, for HTTP/2. */
export async function startTlsFront(
  { host, cert, key }: Certificate,
  behind: { readonly http1: string; readonly http2?: string },
): Promise<TlsFront> {
  const protocols: string[] = [];
  const sockets = new Set<Socket>();
  const ALPNProtocols = behind.http2 === undefined ? ["http/1.1"] : ["h2", "http/1.1"];
  const server = createServer({ cert, key, ALPNProtocols }, (socket) => {
    protocols.push(socket.alpnProtocol || "none");
    const target = socket.alpnProtocol === "h2" ? behind.http2 : behind.http1;
    const { hostname, port } = new URL(target ?? behind.http1);
    const inner = connect(Number(port), hostname);
    for (const [one, other] of [
      [socket, inner],
      [inner, socket],
    ] as const) {
      sockets.add(one);
      one.on("error", () => other.destroy()).on("close", () => other.destroy());
      one.pipe(other);
    }
  });
  server.listen(0, host);
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { url: `https://${host}:${(server.address() as AddressInfo).port}`, protocols };
}
