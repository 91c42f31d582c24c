// A proxy between one worker and DynamoDB. It records each successful write to a lease: the worker,
// and the row after the write. Each worker has its own proxy, so the writer is known whatever its
// worker id is.

import { once } from "node:events";
import { createServer, type IncomingMessage, request } from "node:http";
import type { AddressInfo } from "node:net";

export interface LeaseWrite {
  readonly writer: string;
  readonly leaseKey: string;
  readonly counter: number;
  readonly owner: string | undefined;
  readonly checkpointOwner: string | undefined;
  readonly checkpoint: string;
}

export interface WriteWitness {
  readonly url: string;
  /** How many calls of an operation succeeded. */
  succeeded(operation: string): number;
  stop(): Promise<void>;
}

type Item = Readonly<Record<string, { readonly S?: string; readonly N?: string }>>;

export async function startWriteWitness(
  writer: string,
  target: string,
  writes: LeaseWrite[],
): Promise<WriteWitness> {
  const { hostname, port } = new URL(target);
  const successes = new Map<string, number>();
  const server = createServer((incoming, outgoing) => {
    const serve = async () => {
      const { method, url, headers } = incoming;
      const operation = String(headers["x-amz-target"]).split(".")[1] ?? "";
      const isUpdate = operation === "UpdateItem";
      const asked = await collect(incoming);
      const body = isUpdate ? wantingTheRow(asked) : asked;
      const sent = request({
        hostname,
        port,
        method,
        path: url,
        headers: { ...headers, "content-length": String(body.length) },
      });
      sent.end(body);
      const [answer] = (await once(sent, "response")) as [IncomingMessage];
      const content = await collect(answer);
      if (answer.statusCode === 200) {
        successes.set(operation, (successes.get(operation) ?? 0) + 1);
      }
      if (isUpdate && answer.statusCode === 200) note(writer, content, writes);
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      outgoing.end(content);
    };
    serve().catch(() => incoming.socket.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  // A server that listens on TCP has an address of this type.
  const address = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${address.port}`,
    succeeded: (operation) => successes.get(operation) ?? 0,
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

/** The emulator does not check signatures, so the proxy may request the row after the write. */
function wantingTheRow(body: Buffer): Buffer {
  const update = JSON.parse(body.toString()) as Record<string, unknown>;
  return Buffer.from(JSON.stringify({ ...update, ReturnValues: "ALL_NEW" }));
}

function note(writer: string, answer: Buffer, writes: LeaseWrite[]): void {
  const { Attributes: row } = JSON.parse(answer.toString()) as { readonly Attributes?: Item };
  const leaseKey = row?.["leaseKey"]?.S;
  const counter = row?.["leaseCounter"]?.N;
  // Other rows have no counter.
  if (!row || leaseKey === undefined || counter === undefined) return;
  writes.push({
    writer,
    leaseKey,
    counter: Number(counter),
    owner: row["leaseOwner"]?.S,
    checkpointOwner: row["checkpointOwner"]?.S,
    checkpoint: `${row["checkpoint"]?.S}#${row["checkpointSubSequenceNumber"]?.N}`,
  });
}

async function collect(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
