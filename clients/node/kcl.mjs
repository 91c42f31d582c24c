// Kinesis record processors in Node: speaks the MultiLangDaemon protocol on STDIN and STDOUT for one shard.
//
// An action is read, its function is run, its status is written; the only thing in between are checkpoints.
// A function that throws ends the process with an error and without a status, so that its records come again.

import { setTimeout as delay } from "node:timers/promises";
import { format } from "node:util";

/** Checkpoints that fail with these are tried again: 0.2 s doubling to 5 s, about 12 s in all. */
const RETRYABLE = new Set(["ThrottlingException", "KinesisClientLibDependencyException"]);
const ATTEMPTS = 8;
const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 5000;

/** A checkpoint that was not stored. `value` is the daemon's word for why, such as `ShutdownException`. */
export class CheckpointError extends Error {
  constructor(value, message = `checkpoint not stored: ${value}`) {
    super(message);
    this.name = "CheckpointError";
    this.value = value;
  }
}

/** Which function of the processor answers an action, and what it is given besides the message's fields. */
const ACTIONS = {
  initialize: { method: "initialize", checkpoints: false },
  processRecords: { method: "processRecords", checkpoints: true },
  leaseLost: { method: "leaseLost", checkpoints: false, reason: "ZOMBIE" },
  shardEnded: { method: "shardEnded", checkpoints: true, reason: "TERMINATE" },
  shutdownRequested: { method: "shutdownRequested", checkpoints: true },
};

/**
 * Binds a processor to the daemon's pipes; nothing happens before `run()`. Types and meanings: kcl.d.mts.
 * With STDIN and STDOUT (the defaults), STDOUT belongs to the protocol from then on: what the program prints
 * there, with `console.log` too, goes to STDERR.
 */
export function kcl(recordProcessor, input, output, error, options = {}) {
  const legacy = typeof recordProcessor.shutdown === "function";
  for (const name of ["processRecords", legacy ? "shutdown" : "shardEnded"]) {
    if (typeof recordProcessor[name] !== "function") {
      throw new TypeError(`a record processor needs a function ${name}`);
    }
  }
  const protocol = new Protocol(input ?? process.stdin, output, error ?? process.stderr, options);
  const driver = {
    run: () => (output === undefined ? runProcess(driver, protocol) : driver.loop()),
    loop: () => answerAll(recordProcessor, legacy, protocol),
    cleanup: () => void protocol.close(),
    log: (level, message) => protocol.log(level, message),
  };
  return driver;
}

/** One action after the other until the end of the input. */
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
 * A function that declares `(input, completeCallback)` is done when it calls back; any other when what it
 * returns is settled. Calling back with an Error fails the action, as throwing does.
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

/** Stores how far the shard is processed. It lives as long as the action that it was given to. */
class Checkpointer {
  #protocol;
  /** Checkpoints stand in line: the daemon answers one at a time. */
  #line = Promise.resolve();
  #finished = false;

  constructor(protocol) {
    this.#protocol = protocol;
  }

  /**
   * `checkpoint()`, `checkpoint(record)`, `checkpoint(sequenceNumber, subSequenceNumber)`; a function as last
   * argument is called with (error name or null, sequence number) instead of returning a promise.
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

  /** Waits for checkpoints that nobody waited for. */
  async finish() {
    await this.#line;
    this.#finished = true;
  }
}

/** Lines of JSON in and out. */
class Protocol {
  #messages;
  #send;
  #error;
  /** How many messages were read. */
  messages = 0;
  sleep;

  constructor(input, output, error, { sleep = delay }) {
    this.#messages = messages(input);
    this.#send = (output ?? process.stdout).write.bind(output ?? process.stdout);
    this.#error = error;
    this.sleep = sleep;
  }

  /** The next message, or `undefined` at the end of the input. Throws when a line is not a JSON object. */
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

  /** A line break in front keeps the message whole behind anything that got onto STDOUT without one. */
  write(message) {
    return new Promise((resolve, reject) => {
      this.#send(`\n${JSON.stringify(message)}\n`, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** To the daemon's log with shard and level when it understands that, to STDERR otherwise. */
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
 * One object a line, `undefined` for a blank one. Lines end at \n alone (readline would also cut at U+2028) and are of any
 * length: the records of a batch, which is one line of 14 MiB when it is full, are read as they arrive, so that their
 * text is never held at once.
 */
async function* messages(input) {
  const line = new Line();
  for await (const chunk of input) {
    let rest = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      line.add(rest.subarray(0, end));
      rest = rest.subarray(end + 1);
      yield line.end();
    }
    line.add(rest);
  }
  yield line.end();
}

/** How daemons begin a batch. */
const BATCH = '{"action":"processRecords","records":[';
/** Between two records, unless it is inside of one: then what stands before it is no JSON. */
const BETWEEN = '},{"';
const LONGEST_SHOWN = 200;

/** A line on its way. */
class Line {
  /** What is not parsed yet. */
  #parts = [];
  /** The records that are, once the line has shown that it is a batch. */
  #records;
  /** The line is parsed when it is complete. */
  #whole = false;

  add(part) {
    this.#parts.push(part);
    const last = this.#whole ? -1 : part.lastIndexOf(BETWEEN);
    if (last < 0) return;
    this.#parts[this.#parts.length - 1] = part.subarray(0, last + 1);
    if (this.#parse(Buffer.concat(this.#parts).toString("utf8"))) {
      // A copy, since what is only a part keeps the memory of all of it.
      this.#parts = [Buffer.from(part.subarray(last + 2))];
    } else {
      // Not a batch, or not a place between two records.
      this.#whole = true;
      this.#parts[this.#parts.length - 1] = part;
    }
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

  /** What the line says; `undefined` when it is blank. Throws when that is not an object. The next line may follow. */
  end() {
    const text = Buffer.concat(this.#parts).toString("utf8");
    const records = this.#records;
    this.#parts = [];
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

/** The whole life of a child process: STDOUT set aside, and an end without an answer is never a success. */
async function runProcess(driver, protocol) {
  process.stdout.write = process.stderr.write.bind(process.stderr);
  let idle;
  const nothingLeft = () => {
    if (idle === protocol.messages) {
      protocol.warn("nothing is left to do, but the last action was not answered");
      process.exit(1);
    }
    // Others may have waited for this moment too: one more turn for them.
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
