// Accepts records over HTTP/1.1: one as JSON, many as NDJSON, or the AWS API. Section HTTP of
// protocol/producer.md.

import { isUtf8 } from "node:buffer";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { ProducerCore } from "../core.ts";
import { isStored, type Outcome } from "../record.ts";
import { awsAnswer, type Operation, readAwsPut } from "./awsApi.ts";
import { putAll } from "./putAll.ts";
import { type ReadPut, readPut } from "./readPut.ts";

const JSON_TYPE = "application/json";
const NDJSON_TYPE = "application/x-ndjson";
const AWS_JSON = "application/x-amz-json-1.1";
/** The base64 of a PutRecords call of 10 MiB, with names; NDJSON may be somewhat larger. */
const MAX_BODY_BYTES = 32 * 1024 * 1024;
const RETRY_AFTER_SECONDS = 1;
const TARGET = /^Kinesis_20131202\.(PutRecords?)$/;
const THROTTLED = "ProvisionedThroughputExceededException";

/** A request that is answered without an outcome. */
class Refusal extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export function httpServer(core: ProducerCore): Server {
  return createServer((request, response) => {
    const isAws = request.headers["content-type"] === AWS_JSON;
    answer(core, request, response).catch((error: unknown) => {
      const known =
        error instanceof Refusal ? error : new Refusal(500, "InternalError", String(error));
      const { status, code, message } = known;
      if (status === 429) response.setHeader("retry-after", RETRY_AFTER_SECONDS);
      const type = status === 429 ? THROTTLED : code;
      const body = isAws ? { __type: type, message } : { error: code, message };
      send(response, status, isAws ? AWS_JSON : JSON_TYPE, JSON.stringify(body));
    });
  });
}

async function answer(
  core: ProducerCore,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { pathname } = new URL(request.url ?? "/", "http://localhost");
  if (request.method === "GET" && pathname === "/metrics") {
    send(response, 200, JSON_TYPE, JSON.stringify(core.metrics()));
    return;
  }
  const streamName = /^\/streams\/([a-zA-Z0-9_.-]{1,128})\/records$/.exec(pathname)?.[1];
  const target = request.headers["x-amz-target"];
  const operation = TARGET.exec(String(target ?? ""))?.[1] as Operation | undefined;
  if (streamName === undefined && !(pathname === "/" && target)) {
    throw new Refusal(404, "NotFound", "use POST /streams/NAME/records, or POST / as an AWS SDK");
  }
  if (request.method !== "POST") throw new Refusal(405, "MethodNotAllowed", "use POST");
  const type = request.headers["content-type"]?.split(";")[0]?.trim().toLowerCase();
  const body = await bodyOf(request);
  if (type === AWS_JSON) {
    if (target && !operation) {
      throw new Refusal(400, "UnknownOperationException", `${target} is not supported`);
    }
    const wanted = operation ?? "PutRecords";
    const put = readAwsPut(wanted, parse(body), streamName);
    if (typeof put === "string") throw new Refusal(400, "ValidationException", put);
    const outcomes = await taken(putAll(core, put.streamName, put.records));
    const { status, body: result } = awsAnswer(wanted, outcomes);
    send(response, status, AWS_JSON, JSON.stringify(result));
  } else if (type === NDJSON_TYPE && streamName !== undefined) {
    const lines = body.split(/\r?\n/).filter((line) => line.trim() !== "");
    const outcomes = await taken(putAll(core, streamName, lines.map(recordOfLine)));
    const results = outcomes.map((outcome) => `${JSON.stringify(resultOf(outcome))}\n`);
    send(response, 200, NDJSON_TYPE, results.join(""));
  } else if (type === JSON_TYPE && streamName !== undefined) {
    const outcomes = await taken(putAll(core, streamName, [recordOf(parse(body))]));
    for (const outcome of outcomes) {
      send(response, statusOf(outcome), JSON_TYPE, JSON.stringify(resultOf(outcome)));
    }
  } else {
    const cbor = type?.includes("cbor") ? "; set AWS_CBOR_DISABLE=true for the Java SDK" : "";
    throw new Refusal(
      415,
      "UnsupportedMediaType",
      `content-type is ${type ?? "missing"}; allowed: ${JSON_TYPE}, ${NDJSON_TYPE}, ${AWS_JSON}${cbor}`,
    );
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) {
      throw new Refusal(413, "PayloadTooLarge", `a body has at most ${MAX_BODY_BYTES} bytes`);
    }
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks);
  if (!isUtf8(body)) throw new Refusal(400, "InvalidMessage", "the body is not valid UTF-8");
  return body.toString();
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (error) {
    throw new Refusal(400, "InvalidMessage", `the body is not JSON: ${(error as Error).message}`);
  }
}

function recordOfLine(line: string): ReadPut["record"] | string {
  try {
    return recordOf(JSON.parse(line));
  } catch (error) {
    return `the line is not JSON: ${(error as Error).message}`;
  }
}

function recordOf(value: unknown): ReadPut["record"] | string {
  if (typeof value !== "object" || value === null) return "the record is not a JSON object";
  const read = readPut(value as Readonly<Record<string, unknown>>);
  return typeof read === "string" ? read : read.record;
}

async function taken(outcomes: Promise<Outcome[]> | undefined): Promise<Outcome[]> {
  if (outcomes !== undefined) return outcomes;
  throw new Refusal(429, "TooManyRequests", "maxInFlightBytes is reached; no record was taken");
}

function resultOf(outcome: Outcome): Readonly<Record<string, unknown>> {
  if (isStored(outcome)) return { ...outcome };
  const { errorCode: error, message, attempts } = outcome;
  return { error, message, attempts };
}

function statusOf(outcome: Outcome): number {
  if (isStored(outcome)) return 200;
  return ["InvalidRecord", "RecordTooLarge"].includes(outcome.errorCode) ? 400 : 502;
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body) });
  response.end(body);
}
