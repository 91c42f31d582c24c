// Puts records into Amazon Kinesis streams through the program `kinesis-multilang produce`, which
// aggregates them as the Kinesis Producer Library does, and retries. The API is that of
// `kinesis-multilang/producer`, which does the same within the process. Types: producer.d.mts.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";

const PROTOCOL_VERSION = 1;
const MAX_LINE_BYTES = 16 * 1024 * 1024;
const CLIENT = "producer.mjs 0.1.0";

export class RecordFailed extends Error {
  name = "RecordFailed";

  constructor(code, message, attempts = []) {
    super(`${code}: ${message}`);
    this.code = code;
    this.attempts = attempts;
  }
}

export class Producer {
  #input;
  #output;
  /** Resolves with a description of how the producer ended. */
  #exit;
  /** Settles when the producer's output has ended. */
  #reading;
  #started;
  #nextId = 1;
  /** Promises of messages without an answer, by id. */
  #waiting = new Map();
  /** Lines that wait for credit, oldest first. */
  #queue = [];
  #credit = 0;
  #maxInFlightBytes = 0;
  #whenReady = [];
  #isClosing = false;
  #end;
  #totals;

  constructor({ options = [], socket } = {}) {
    if (socket === undefined) this.#spawn(options);
    else this.#connect(socket);
    // The end of the output says the same, and fails all promises.
    this.#output.on("error", () => {});
    this.#started = new Promise((resolve, reject) => {
      this.#whenReady.push({ resolve, reject });
    });
    this.#started.catch(() => {});
    this.#reading = this.#read();
  }

  get outstanding() {
    return this.#waiting.size;
  }

  async put({ partitionKey, data, explicitHashKey, stream }) {
    const payload =
      typeof data === "string"
        ? { text: data }
        : { data: Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64") };
    return this.#ask({ action: "put", partitionKey, explicitHashKey, stream, ...payload });
  }

  async ready() {
    await this.#started;
    if (this.#queue.length === 0 || this.#end) return;
    await new Promise((resolve, reject) => {
      this.#whenReady.push({ resolve, reject });
    });
  }

  flush({ timeoutMs } = {}) {
    return this.#ask({ action: "flush", timeoutMs });
  }

  getMetrics({ name, windowSeconds } = {}) {
    return this.#ask({ action: "metrics", name, windowSeconds });
  }

  async close() {
    this.#isClosing = true;
    if (this.#queue.length === 0) this.#output.end();
    await this.#reading;
    if (!this.#totals) throw this.#end;
    return this.#totals;
  }

  async [Symbol.asyncDispose]() {
    await this.close();
  }

  #spawn(options) {
    const given = (process.env.KINESIS_MULTILANG_PRODUCER ?? "").split(/\s+/).filter(Boolean);
    const [command, ...args] =
      given.length > 0 ? given : ["kinesis-multilang", "produce", "--protocol", ...options];
    // In a process group of its own: Ctrl-C reaches this program, which then closes the producer.
    const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"], detached: true });
    this.#input = child.stdout;
    this.#output = child.stdin;
    this.#exit = new Promise((resolve) => {
      child.on("error", (error) => resolve(`the producer cannot be started: ${error.message}`));
      child.on("exit", (code, signal) => resolve(`the producer has ended with ${signal ?? code}`));
    });
  }

  #connect(path) {
    const socket = connect({ path, allowHalfOpen: true });
    this.#input = socket;
    this.#output = socket;
    this.#exit = once(socket, "close").then(
      () => "the connection has ended",
      (error) => `the producer cannot be reached: ${error.message}`,
    );
  }

  async #read() {
    let why;
    try {
      let rest = [];
      for await (const chunk of this.#input.iterator({ destroyOnReturn: false })) {
        const end = chunk.lastIndexOf(0x0a);
        if (end === -1) {
          rest.push(chunk);
          continue;
        }
        const text = Buffer.concat([...rest, chunk.subarray(0, end)]).toString();
        rest = [chunk.subarray(end + 1)];
        for (const line of text.split("\n")) this.#receive(JSON.parse(line));
        this.#writeQueue();
      }
    } catch (error) {
      // Also a line that is not a message.
      why = `the producer's output cannot be read: ${error.message}`;
    }
    this.#input.destroy();
    this.#output.destroy();
    this.#finish(why ?? (await this.#exit));
  }

  #receive(message) {
    switch (message.action) {
      case "ready":
        this.#start(message);
        return;
      case "credit":
        this.#credit += message.bytes;
        return;
      case "closed":
        this.#totals = {
          stored: message.stored,
          failed: message.failed,
          notStored: message.notStored,
        };
        return;
      case "error":
        console.error(
          `producer.mjs: the producer refused line ${message.line}: ${message.message}`,
        );
        return;
      case "result":
        this.#settle(message, outcomeOf(message));
        return;
      case "flushed":
        this.#settle(message, message.notStored);
        return;
      case "metrics":
        this.#settle(message, message.metrics);
    }
  }

  #start({ protocolVersion, maxInFlightBytes }) {
    if (protocolVersion !== PROTOCOL_VERSION) {
      throw new Error(`it uses protocol version ${protocolVersion}; update this client`);
    }
    this.#maxInFlightBytes = maxInFlightBytes;
    this.#credit = maxInFlightBytes;
    const start = { action: "start", protocolVersion, client: CLIENT, credit: true };
    this.#write(`${JSON.stringify(start)}\n`);
    for (const { resolve } of this.#whenReady.splice(0)) resolve();
  }

  #settle({ id }, outcome) {
    const promise = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (outcome instanceof RecordFailed) promise?.reject(outcome);
    else promise?.resolve(outcome);
  }

  #ask(message) {
    const id = this.#nextId++;
    const line = `${JSON.stringify({ ...message, id })}\n`;
    const cost = Buffer.byteLength(line);
    return new Promise((resolve, reject) => {
      if (this.#end) return reject(this.#end);
      if (this.#isClosing) return reject(new RecordFailed("Closed", "the producer is closed"));
      if (cost > MAX_LINE_BYTES) {
        const text = `the record takes ${cost} bytes in the protocol; allowed: ${MAX_LINE_BYTES}`;
        return reject(new RecordFailed("RecordTooLarge", text));
      }
      this.#waiting.set(id, { resolve, reject });
      // A flush covers the puts before it, so all messages wait in one queue.
      this.#queue.push({ line, cost });
      this.#writeQueue();
    });
  }

  #writeQueue() {
    let count = 0;
    let text = "";
    for (const { line, cost } of this.#queue) {
      if (this.#credit < Math.min(cost, this.#maxInFlightBytes) || !this.#maxInFlightBytes) break;
      this.#credit -= cost;
      text += line;
      count += 1;
    }
    if (count > 0) {
      this.#queue.splice(0, count);
      this.#output.write(text);
    }
    if (this.#queue.length > 0) return;
    if (this.#maxInFlightBytes) for (const { resolve } of this.#whenReady.splice(0)) resolve();
    if (this.#isClosing) this.#output.end();
  }

  #write(line) {
    this.#credit -= Buffer.byteLength(line);
    this.#output.write(line);
  }

  #finish(why) {
    const error = this.#totals
      ? new RecordFailed("NotStored", "the producer ended before the record had an outcome")
      : new RecordFailed("ProducerDied", `${why}; see its log on STDERR`);
    this.#end = this.#totals ? new RecordFailed("Closed", "the producer has ended") : error;
    this.#queue = [];
    const waiting = [...this.#waiting.values(), ...this.#whenReady.splice(0)];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(error);
  }
}

function outcomeOf({ error, message, shardId, sequenceNumber, subSequenceNumber, attempts }) {
  if (error !== undefined) return new RecordFailed(error, message, attempts);
  return { shardId, sequenceNumber, subSequenceNumber, attempts };
}
