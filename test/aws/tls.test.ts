// Calls over TLS. Node reads its trusted certificates at its start, so each caller is a process.

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";

const fixture = (name: string) =>
  fileURLToPath(new URL(`../fixtures/tls/${name}`, import.meta.url));
const MODULE = new URL("../../.cache/js/aws/connections/keptConnections.js", import.meta.url).href;

let server: Server;
let handshakes = 0;
beforeAll(async () => {
  const [cert, key] = ["certificate.pem", "key.pem"].map((name) => readFileSync(fixture(name)));
  server = createServer({ cert, key }, (request, response) => {
    request.resume().on("end", () => response.end(Buffer.alloc(3_000_000, "tls")));
  });
  server.on("secureConnection", () => {
    handshakes += 1;
  });
  server.listen(0);
  await once(server, "listening");
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

/** The results of three calls, two of them concurrent, in a process that may trust the server. */
async function callsTo(hostname: string, env: Readonly<Record<string, string>>): Promise<unknown> {
  const { port } = server.address() as AddressInfo;
  const script = `
    const { KeptConnections } = await import(${JSON.stringify(MODULE)});
    const kept = new KeptConnections({ maxConnections: 4, connectTimeoutMs: 5_000, maxBodyBytes: 1e7, allocate: Buffer.allocUnsafe });
    const request = { protocol: "https:", hostname: ${JSON.stringify(hostname)}, port: ${port}, method: "POST", path: "/", headers: { host: "x" } };
    const call = () => kept.handle(request).then(
      ({ response }) => response.body.equals(Buffer.alloc(3_000_000, "tls")) ? "whole" : "broken",
      ({ code }) => code,
    );
    console.log(JSON.stringify([await call(), ...await Promise.all([call(), call()])]));`;
  const { stdout } = await execa(process.execPath, ["--input-type=module", "--eval", script], {
    env,
  });
  return JSON.parse(stdout);
}

const TRUSTED = { NODE_EXTRA_CA_CERTS: fixture("certificate.pem") };

test("receives large responses over kept connections, which do not keep the process running", async () => {
  handshakes = 0;
  expect(await callsTo("localhost", TRUSTED)).toEqual(["whole", "whole", "whole"]);
  expect(handshakes).toBe(2);
});

test("rejects an untrusted certificate, and one for another host", async () => {
  const unknown = "DEPTH_ZERO_SELF_SIGNED_CERT";
  expect(await callsTo("localhost", {})).toEqual([unknown, unknown, unknown]);
  const foreign = "ERR_TLS_CERT_ALTNAME_INVALID";
  expect(await callsTo("127.0.0.1", TRUSTED)).toEqual([foreign, foreign, foreign]);
});
