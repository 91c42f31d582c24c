// An HTTP proxy in front of an emulator that makes the next calls of an operation fail. It
// identifies an operation by the X-Amz-Target header, so it serves both Kinesis and DynamoDB.

import { once } from "node:events";
import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";

export type Fault =
  /** Responds with an error of the service. The call does not reach the emulator. */
  | {
      readonly type: "error";
      readonly name: string;
      readonly status?: number;
      readonly message?: string;
      /** The service's clock, as an HTTP date. */
      readonly date?: string;
    }
  /** The connection ends before a response. The call does not reach the emulator. */
  | { readonly type: "cut" }
  /** The call has its effect, and the connection ends before the response. */
  | { readonly type: "cutAfter" }
  /** The response's body ends after this number of bytes, though more are announced. */
  | { readonly type: "truncate"; readonly bytes: number }
  /** Responds with this body. The call does not reach the emulator. */
  | { readonly type: "answer"; readonly body: string }
  /** Changes the response's body. */
  | { readonly type: "corrupt"; readonly edit: (body: string) => string }
  /** The response waits until `until` resolves. */
  | { readonly type: "delay"; readonly until: Promise<unknown> };

/** A call that reached the proxy, in order of arrival. */
export interface ProxiedCall {
  readonly operation: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly atMs: number;
}

export interface FaultProxy {
  readonly url: string;
  readonly calls: readonly ProxiedCall[];
  /**
   * Makes the next call of an operation fail (`"*"`: of any operation), or the next `times` calls.
   */
  next(operation: string, fault: Fault, times?: number): void;
  /** From now on, calls signed with this access key are refused with ExpiredTokenException. */
  expire(accessKeyId: string): void;
  /** Removes faults that have not occurred yet. */
  clear(): void;
  /** How often an operation was called. */
  count(operation: string): number;
  stop(): Promise<void>;
}

interface Planned {
  readonly operation: string;
  readonly fault: Fault;
  left: number;
}

/** @param target the emulator's URL. */
export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const { hostname, port } = new URL(target);
  const calls: ProxiedCall[] = [];
  let planned: Planned[] = [];
  const expired = new Set<string>();

  const take = (operation: string): Fault | undefined => {
    const found = planned.find((plan) => plan.operation === operation || plan.operation === "*");
    if (!found) return undefined;
    found.left -= 1;
    if (found.left <= 0) planned = planned.filter((plan) => plan !== found);
    return found.fault;
  };

  const forward = async (incoming: IncomingMessage, body: Buffer) => {
    const { method, url, headers } = incoming;
    const outgoing = request({ hostname, port, method, path: url, headers });
    outgoing.end(body);
    const [answer] = (await once(outgoing, "response")) as [IncomingMessage];
    return { answer, body: await collect(answer) };
  };

  const serve = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const body = await collect(incoming);
    const operation = String(incoming.headers["x-amz-target"] ?? "").replace(/^.*\./, "");
    calls.push({ operation, body: parsed(body), atMs: performance.now() });
    const key = /Credential=([^/]+)\//.exec(String(incoming.headers.authorization))?.[1] ?? "";
    const fault: Fault | undefined = expired.has(key)
      ? { type: "error", name: "ExpiredTokenException" }
      : take(operation);
    if (fault?.type === "cut") {
      incoming.socket.destroy();
      return;
    }
    if (fault?.type === "error") {
      const { name, status = 400, message = `${name} by the proxy`, date } = fault;
      if (date) outgoing.setHeader("date", date);
      outgoing.writeHead(status, { "content-type": "application/x-amz-json-1.1" });
      outgoing.end(JSON.stringify({ __type: name, message }));
      return;
    }
    if (fault?.type === "answer") {
      outgoing.writeHead(200, { "content-type": "application/x-amz-json-1.1" });
      outgoing.end(fault.body);
      return;
    }
    const forwarded = await forward(incoming, body);
    if (fault?.type === "delay") await fault.until;
    if (fault?.type === "cutAfter") {
      incoming.socket.destroy();
      return;
    }
    const content =
      fault?.type === "corrupt"
        ? Buffer.from(fault.edit(forwarded.body.toString()))
        : forwarded.body;
    const headers: OutgoingHttpHeaders = { ...forwarded.answer.headers };
    headers["content-length"] = String(content.length);
    delete headers["transfer-encoding"];
    delete headers["x-amz-crc32"];
    outgoing.writeHead(forwarded.answer.statusCode ?? 502, headers);
    if (fault?.type === "truncate") {
      outgoing.write(content.subarray(0, fault.bytes), () => incoming.socket.destroy());
      return;
    }
    outgoing.end(content);
  };

  const server = createServer((incoming, outgoing) => {
    serve(incoming, outgoing).catch(() => incoming.socket.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  // A server that listens on TCP has an address of this type.
  const address = server.address() as AddressInfo;

  return {
    url: `http://127.0.0.1:${address.port}`,
    calls,
    next(operation, fault, times = 1) {
      planned.push({ operation, fault, left: times });
    },
    expire(accessKeyId) {
      expired.add(accessKeyId);
    },
    clear() {
      planned = [];
    },
    count: (operation) => calls.filter((call) => call.operation === operation).length,
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

async function collect(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function parsed(body: Buffer): Record<string, unknown> {
  try {
    return JSON.parse(body.toString());
  } catch {
    return {}; // CBOR, or no body at all
  }
}
