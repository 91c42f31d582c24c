// A small proxy before DynamoDB with which a test makes single calls fail: it loses the response,
// refuses, throttles or delays.

import {
  createServer,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { inject } from "vitest";

/** The fate of one call. */
export type Fate =
  | "pass"
  /** DynamoDB executes it, but its response never arrives. */
  | "loseAnswer"
  /** The connection breaks before DynamoDB receives it. */
  | "cut"
  | "throttle"
  | "deny"
  /** It waits until `until` resolves, and is carried out then. */
  | { readonly until: Promise<unknown> };

export interface Call {
  /** UpdateItem, Scan, … */
  readonly operation: string;
  readonly body: string;
}

export class DynamoProxy {
  /** Called for each call; set by the test. */
  fate: (call: Call) => Fate = () => "pass";
  readonly #server: Server;
  readonly #target: URL;

  private constructor(target: string) {
    this.#target = new URL(target);
    this.#server = createServer((incoming, outgoing) => {
      this.#serve(incoming, outgoing).catch(() => outgoing.destroy());
    });
  }

  static async start(target: string = inject("dynamoUrl")): Promise<DynamoProxy> {
    const proxy = new DynamoProxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const body = await readAll(incoming);
    const target = String(incoming.headers["x-amz-target"] ?? "");
    const fate = this.fate({ operation: target.split(".")[1] ?? "", body: body.toString() });
    if (fate === "cut") return void outgoing.destroy();
    if (fate === "throttle") {
      return refuse(outgoing, `${API}ProvisionedThroughputExceededException`, "too fast");
    }
    if (fate === "deny") return refuse(outgoing, "AccessDeniedException", "not allowed");
    if (typeof fate === "object") await fate.until;
    const answer = await this.#forward(incoming, body);
    if (fate === "loseAnswer") return void outgoing.destroy();
    outgoing.writeHead(answer.response.statusCode ?? 500, answer.response.headers);
    outgoing.end(answer.body);
  }

  #forward(incoming: IncomingMessage, body: Buffer) {
    return new Promise<{ response: IncomingMessage; body: Buffer }>((resolve, reject) => {
      const { hostname, port } = this.#target;
      const { method, headers, url } = incoming;
      const forwarded = request({ hostname, port, method, headers, path: url }, (response) => {
        readAll(response).then((bytes) => resolve({ response, body: bytes }), reject);
      });
      forwarded.on("error", reject).end(body);
    });
  }
}

const API = "com.amazonaws.dynamodb.v20120810#";

function refuse(outgoing: ServerResponse, type: string, message: string): void {
  outgoing.writeHead(400, { "content-type": "application/x-amz-json-1.0" });
  outgoing.end(JSON.stringify({ __type: type, message }));
}

async function readAll(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
