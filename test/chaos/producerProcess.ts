// The producer under test: `produce --protocol` with a spill directory. When it was killed, the
// next one puts again what the first had accepted, and the run puts again what it had not.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { LOCAL_CREDENTIALS, LOCAL_REGION } from "../../src/local/services.ts";
import { MAIN } from "./paths.ts";
import { type Given, isAcknowledged } from "./producerLedger.ts";

export interface ProducerPlace {
  readonly folder: string;
  readonly spill: string;
  readonly streamName: string;
  readonly endpoint: string;
  /** A library that sets the process's clock. If absent, the clock is left alone. */
  readonly fakeTime: string | undefined;
}

interface Answer {
  readonly action: string;
  readonly id?: number;
  readonly sequenceNumber?: string;
  readonly subSequenceNumber?: number;
  readonly error?: string;
  readonly attempts?: readonly { readonly maybeStored?: true }[];
}

export class ProducerProcess {
  readonly ledger: Given[] = [];
  readonly #place: ProducerPlace;
  readonly #log: number;
  readonly #open = new Map<number, Given>();
  #process: ChildProcess | undefined;
  #nextId = 0;

  constructor(place: ProducerPlace) {
    this.#place = place;
    this.#log = openSync(join(place.folder, "producer.log"), "a");
    this.setClock(0);
  }

  /** Records without a result. */
  get outstanding(): number {
    return this.#open.size;
  }

  /** Sets the process's clock, in seconds relative to the true time. */
  setClock(seconds: number): void {
    writeFileSync(this.#clockFile, `${seconds < 0 ? "" : "+"}${seconds}`);
  }

  start(): void {
    const { streamName, endpoint, spill, folder } = this.#place;
    const file = join(folder, "producer.properties");
    writeFileSync(file, `streamName = ${streamName}\nspill = ${spill}\nregion = ${LOCAL_REGION}\n`);
    const args = [MAIN, "produce", "--protocol", "-p", file, "--endpoint", endpoint];
    const child = spawn(process.execPath, args, {
      stdio: ["pipe", "pipe", this.#log],
      env: { ...process.env, ...this.#env() },
    });
    // What a dead producer has not read is put again.
    child.stdin?.on("error", () => {});
    if (child.stdout) {
      createInterface({ input: child.stdout }).on("line", (line) => this.#answered(line));
    }
    this.#process = child;
  }

  put(key: string, n: number): void {
    const given: Given = { key, n, accepted: false, doubts: 0 };
    this.ledger.push(given);
    this.#send(given);
  }

  /** Kills the producer and starts the next one. */
  async replace(): Promise<void> {
    const child = this.#process;
    if (!child) return;
    const closed = once(child, "close");
    child.kill("SIGKILL");
    await closed;
    const left = [...this.#open.values()];
    this.#open.clear();
    for (const given of left) given.doubts += 1;
    this.start();
    for (const given of left) if (!isAcknowledged(given)) this.#send(given);
  }

  /** Closes the producer's input. @returns the exit code. */
  async close(): Promise<number | null> {
    const child = this.#process;
    if (!child) return null;
    const closed = once(child, "close");
    child.stdin?.end();
    const [code] = await closed;
    return code as number | null;
  }

  dismiss(): void {
    this.#process?.kill("SIGKILL");
  }

  get #clockFile(): string {
    return join(this.#place.folder, "producer.clock");
  }

  #env(): Record<string, string> {
    const { fakeTime } = this.#place;
    return {
      AWS_ACCESS_KEY_ID: LOCAL_CREDENTIALS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: LOCAL_CREDENTIALS.secretAccessKey,
      ...(fakeTime !== undefined && {
        LD_PRELOAD: fakeTime,
        FAKETIME_TIMESTAMP_FILE: this.#clockFile,
        FAKETIME_NO_CACHE: "1",
        FAKETIME_DONT_FAKE_MONOTONIC: "1",
      }),
    };
  }

  #send(given: Given): void {
    const id = this.#nextId++;
    this.#open.set(id, given);
    const { key: partitionKey, n } = given;
    const message = { action: "put", id, partitionKey, text: String(n) };
    this.#process?.stdin?.write(`${JSON.stringify(message)}\n`);
  }

  #answered(line: string): void {
    const { action, id = -1, error, attempts = [], ...place } = JSON.parse(line) as Answer;
    const given = this.#open.get(id);
    if (!given) return;
    if (action === "accepted") given.accepted = true;
    if (action !== "result") return;
    this.#open.delete(id);
    given.doubts += attempts.filter(({ maybeStored }) => maybeStored).length;
    if (error === undefined) given.place = `${place.sequenceNumber}#${place.subSequenceNumber}`;
    else given.failed = error;
  }
}
