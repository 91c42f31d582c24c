// Runs a Kinesis record processor in Node for one shard. It speaks the MultiLangDaemon protocol on
// STDIN and STDOUT.
//
// The client reads an action, calls its function and writes its status. Only checkpoints come in
// between. If a function throws, the process ends with an error and without a status, so the daemon
// delivers the records again.

import { fstatSync } from "node:fs";
import { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { format } from "node:util";

/**
 * Checkpoints that fail with these errors are retried: after 0.2 s, doubling to 5 s, about 12 s in
 * all.
 */
const RETRYABLE = new Set(["ThrottlingException", "KinesisClientLibDependencyException"]);
const ATTEMPTS = 8;
const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 5000;

/** A checkpoint was not stored. `value` is the daemon's error name, such as `ShutdownException`. */
export class CheckpointError extends Error {
  constructor(value, message = `checkpoint not stored: ${value}`) {
    super(message);
    this.name = "CheckpointError";
    this.value = value;
  }
}

/**
 * Which function of the processor handles an action, and what it receives in addition to the
 * message's fields.
 */
const ACTIONS = {
  initialize: { method: "initialize", checkpoints: false },
  processRecords: { method: "processRecords", checkpoints: true },
  leaseLost: { method: "leaseLost", checkpoints: false, reason: "ZOMBIE" },
  shardEnded: { method: "shardEnded", checkpoints: true, reason: "TERMINATE" },
  shutdownRequested: { method: "shutdownRequested", checkpoints: true },
};

/**
 * Connects a processor to the daemon's pipes. Nothing happens before `run()`. kcl.d.mts has the
 * types and their meaning. By default the protocol uses STDIN and STDOUT. From then on, whatever
 * the program prints to STDOUT goes to STDERR, also through `console.log`.
 */
export function kcl(recordProcessor, input, output, error, options = {}) {
  const legacy = typeof recordProcessor.shutdown === "function";
  for (const name of ["processRecords", legacy ? "shutdown" : "shardEnded"]) {
    if (typeof recordProcessor[name] !== "function") {
      throw new TypeError(`a record processor needs a function ${name}`);
    }
  }
  const protocol = new Protocol(input, output, error ?? process.stderr, options);
  const driver = {
    run: () => (output === undefined ? runProcess(driver, protocol) : driver.loop()),
    loop: () => answerAll(recordProcessor, legacy, protocol),
    cleanup: () => void protocol.close(),
    log: (level, message) => protocol.log(level, message),
  };
  return driver;
}

/** Handles one action after the other until the end of the input. */
async function answerAll(recordProcessor, legacy, protocol) {
  // No variable keeps a batch while the next one is read.
  while (await answer(recordProcessor, legacy, protocol, await protocol.read()));
}

/** `false` at the end of the input. */
async function answer(recordProcessor, legacy, protocol, message) {
  if (!message) return false;
  const action = Object.hasOwn(ACTIONS, message.action) ? ACTIONS[message.action] : undefined;
  if (!action) {
    protocol.warn(`ignoring an action that this client does not know: ${message.action}`);
    return true;
  }
  const { action: name, ...fields } = message;
  const given = { ...fields, log: (level, text) => protocol.log(level, text) };
  const checkpointer = new Checkpointer(protocol);
  if (action.checkpoints) given.checkpointer = checkpointer;
  const replaced = legacy && action.reason !== undefined;
  if (replaced) given.reason = action.reason;
  await call(recordProcessor, replaced ? "shutdown" : action.method, given, protocol);
  await checkpointer.finish();
  await protocol.write({ action: "status", responseFor: name });
  return true;
}

/**
 * A function that declares `(input, completeCallback)` is done when it calls back. Any other
 * function is done when the value that it returns is settled. Calling back with an Error fails the
 * action, like throwing.
 */
function call(recordProcessor, method, given, protocol) {
  const fn = recordProcessor[method];
  if (typeof fn !== "function") return undefined;
  if (fn.length < 2) return fn.call(recordProcessor, given);
  return new Promise((resolve, reject) => {
    let calls = 0;
    const complete = (failure) => {
      calls += 1;
      if (calls > 1)
        protocol.warn(`${method} called back ${calls} times; only the first one counts`);
      if (failure instanceof Error) reject(failure);
      else resolve();
    };
    Promise.resolve(fn.call(recordProcessor, given, complete)).catch(reject);
  });
}

/** Stores how far the shard is processed. It is valid until its action is answered. */
class Checkpointer {
  #protocol;
  /** Checkpoints queue here, because the daemon answers one at a time. */
  #line = Promise.resolve();
  #finished = false;

  constructor(protocol) {
    this.#protocol = protocol;
  }

  /**
   * `checkpoint()`, `checkpoint(record)`, `checkpoint(sequenceNumber, subSequenceNumber)`. If the
   * last argument is a function, it is called with (error name or null, sequence number), and no
   * promise is returned.
   */
  checkpoint(...args) {
    const callback = typeof args.at(-1) === "function" ? args.pop() : undefined;
    const [at, sub] = args;
    const { sequenceNumber = null, subSequenceNumber = null } =
      at !== null && typeof at === "object" ? at : { sequenceNumber: at, subSequenceNumber: sub };
    const request = { action: "checkpoint", sequenceNumber, subSequenceNumber };
    const stored = this.#line.then(() => this.#store(request));
    this.#line = stored.catch(() => {});
    if (!callback) return stored;
    stored.then(
      () => callback(null, sequenceNumber),
      (error) => callback(error instanceof CheckpointError ? error.value : error, sequenceNumber),
    );
    return undefined;
  }

  async #store(request) {
    if (this.#finished) {
      throw new CheckpointError(
        "InvalidStateException",
        "checkpoint after the action was answered",
      );
    }
    for (let attempt = 1; ; attempt += 1) {
      await this.#protocol.write(request);
      const { error } = await this.#protocol.readAnswer();
      if (error === null || error === undefined) return;
      if (!RETRYABLE.has(error) || attempt >= ATTEMPTS) throw new CheckpointError(error);
      const waitMs = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (attempt - 1));
      await this.#protocol.sleep(waitMs * (0.5 + Math.random() / 2));
    }
  }

  /** Waits for checkpoints that the processor did not wait for. */
  async finish() {
    await this.#line;
    this.#finished = true;
  }
}

/** The protocol's input and output, as lines of JSON. */
class Protocol {
  #messages;
  #send;
  #error;
  /** The number of messages read so far. */
  messages = 0;
  sleep;

  constructor(input, output, error, { sleep = delay }) {
    this.#messages = messages(input);
    this.#send = (output ?? process.stdout).write.bind(output ?? process.stdout);
    this.#error = error;
    this.sleep = sleep;
  }

  /**
   * Returns the next message, or `undefined` at the end of the input. Throws if a line is not a
   * JSON object.
   */
  async read() {
    for (;;) {
      const { value, done } = await this.#messages.next();
      if (value) this.messages += 1;
      if (value || done) return value;
    }
  }

  async readAnswer() {
    for (;;) {
      const message = await this.read();
      if (message?.action === "checkpoint") return message;
      if (message && !Object.hasOwn(ACTIONS, message.action)) {
        this.warn(`ignoring an action that this client does not know: ${message.action}`);
        continue;
      }
      if (!message) throw new CheckpointError("ShutdownException", "the daemon has gone");
      const text = `no answer to a checkpoint, but ${message.action}`;
      throw new CheckpointError("InvalidStateException", text);
    }
  }

  /** The line break in front protects the message from anything on STDOUT that has no line end. */
  write(message) {
    return new Promise((resolve, reject) => {
      this.#send(`\n${JSON.stringify(message)}\n`, (error) => (error ? reject(error) : resolve()));
    });
  }

  /**
   * Writes to the daemon's log with shard and level if the daemon supports that, and to STDERR
   * otherwise.
   */
  log(level, message) {
    if (process.env.KINESIS_MULTILANG_PROTOCOL_VERSION === undefined) {
      this.#error.write(`${level}: ${message}\n`);
      return Promise.resolve();
    }
    return this.write({ action: "log", level, message: String(message) });
  }

  warn(message) {
    this.#error.write(`kcl: ${message}\n`);
  }

  fail(error) {
    this.#error.write(format("kcl: the record processor failed: %s\n", error?.stack ?? error));
  }

  async close() {
    await this.#messages.return(undefined);
  }
}

/**
 * Yields one object per line, and `undefined` for a blank line. Only \n ends a line; readline would
 * also split at U+2028. Without an input it reads STDIN.
 */
async function* messages(input) {
  const lines = new Lines();
  if (input === undefined && isPipe(STDIN)) {
    yield* readPipe(STDIN, lines);
  } else {
    for await (const chunk of input ?? process.stdin) {
      const bytes = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
      for (let at = 0; at < bytes.length; ) {
        const count = bytes.copy(lines.room(), 0, at);
        at += count;
        yield* lines.received(count);
      }
    }
  }
  yield lines.end();
}

const STDIN = 0;

function isPipe(descriptor) {
  const stat = fstatSync(descriptor);
  return stat.isFIFO() || stat.isSocket();
}

/**
 * Reads a pipe into the room of the lines. A stream would allocate memory for each read. While the
 * processor works, the pipe does not keep the process running.
 */
async function* readPipe(fd, lines) {
  const found = [];
  let [isOver, failure, wake] = [false, undefined, () => {}];
  const end = (error) => {
    isOver = true;
    failure ??= error;
    wake();
  };
  const received = (count) => {
    try {
      for (const message of lines.received(count)) found.push(message);
    } catch (error) {
      end(error);
    }
    wake();
    return true;
  };
  const onread = { buffer: () => lines.room(), callback: received };
  const pipe = new Socket({ fd, readable: true, writable: false, onread });
  pipe.on("end", () => end()).on("error", end);
  try {
    for (;;) {
      while (found.length > 0) {
        pipe.unref();
        yield found.shift();
      }
      if (failure) throw failure;
      if (isOver) return;
      pipe.ref();
      await new Promise((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    pipe.destroy();
  }
}

/** How daemons start a batch. */
const BATCH = '{"action":"processRecords","records":[';
/**
 * This text separates two records. Inside a record it can occur too, but then the text before it is
 * not valid JSON.
 */
const BETWEEN = '},{"';
const NEWLINE = 10;
/** As much as is read at once: more would leave the processor's cache. A longer record gets more. */
const ROOM_BYTES = 64 * 1024;
const LONGEST_SHOWN = 200;

/**
 * Cuts what arrives into lines. A line may have any length: a full batch is one line of 14 MiB. Its
 * records are parsed as they arrive, so that their text is never in memory as a whole.
 */
class Lines {
  #bytes = Buffer.allocUnsafeSlow(ROOM_BYTES);
  /** The bounds of the text that is not parsed yet. */
  #start = 0;
  #end = 0;
  /** The records parsed so far, once the line has turned out to be a batch. */
  #records;
  /** Whether the line is parsed only when it is complete. */
  #whole = false;

  /** Where the next bytes have to be written; never empty. */
  room() {
    const old = this.#bytes;
    const length = this.#end - this.#start;
    if (length === old.length) this.#bytes = Buffer.allocUnsafeSlow(2 * length);
    else if (length < ROOM_BYTES && old.length > ROOM_BYTES) {
      this.#bytes = Buffer.allocUnsafeSlow(ROOM_BYTES);
    }
    if (this.#start > 0 || this.#bytes !== old) {
      old.copy(this.#bytes, 0, this.#start, this.#end);
    }
    [this.#start, this.#end] = [0, length];
    return this.#bytes.subarray(length);
  }

  /**
   * Yields the messages of the lines that are complete with the bytes in the room, and `undefined`
   * for a blank line. Throws if one is not an object.
   */
  *received(count) {
    let from = this.#end;
    this.#end += count;
    const arrived = this.#bytes.subarray(0, this.#end);
    for (let at = arrived.indexOf(NEWLINE, from); at >= 0; at = arrived.indexOf(NEWLINE, from)) {
      from = at + 1;
      yield this.#message(at, from);
    }
    this.#parseRecords(from);
  }

  /** The message of a last line without an end. */
  end() {
    return this.#message(this.#end, this.#end);
  }

  /** Parses the records that are complete, if the line is a batch. */
  #parseRecords(from) {
    if (this.#whole) return;
    // The separator may have begun before the bytes that arrived.
    const first = Math.max(this.#start, from - BETWEEN.length + 1);
    const last = this.#bytes.subarray(first, this.#end).lastIndexOf(BETWEEN);
    if (last < 0) return;
    const text = this.#bytes.toString("utf8", this.#start, first + last + 1);
    if (this.#parse(text)) this.#start = first + last + 2;
    // This is not a batch, or not the boundary between two records.
    else this.#whole = true;
  }

  #parse(text) {
    if (!this.#records && !text.startsWith(BATCH)) return false;
    try {
      const records = JSON.parse(`[${this.#records ? text : text.slice(BATCH.length)}]`);
      this.#records = appended(this.#records, records);
      return true;
    } catch {
      return false;
    }
  }

  #message(end, next) {
    const text = this.#bytes.toString("utf8", this.#start, end);
    const records = this.#records;
    this.#start = next;
    this.#records = undefined;
    this.#whole = false;
    if (!records && text.trim() === "") return undefined;
    const message = JSON.parse(records ? BATCH + text : text);
    if (message === null || typeof message !== "object") {
      const shown = text.slice(0, LONGEST_SHOWN);
      throw new Error(`the daemon sent something that is not a message: ${shown}`);
    }
    if (records) message.records = appended(records, message.records);
    return message;
  }
}

function appended(records = [], more) {
  for (const record of more) records.push(record);
  return records;
}

/**
 * Runs a child process from start to end. STDOUT is reserved for the protocol. A process that ends
 * without an answer never reports success.
 */
async function runProcess(driver, protocol) {
  process.stdout.write = process.stderr.write.bind(process.stderr);
  let idle;
  const nothingLeft = () => {
    if (idle === protocol.messages) {
      protocol.warn("nothing is left to do, but the last action was not answered");
      process.exit(1);
    }
    // Other listeners may use this event too, so give them one more turn.
    idle = protocol.messages;
    setImmediate(() => {});
  };
  process.on("beforeExit", nothingLeft);
  try {
    await driver.loop();
  } catch (error) {
    protocol.fail(error);
    process.exit(1);
  }
  process.off("beforeExit", nothingLeft);
}
