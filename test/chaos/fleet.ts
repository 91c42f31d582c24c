// The daemons under test. Each has its own place, its own connections to the services, which can
// fail, and its own clock, which can be set. When a daemon has ended, another one starts in the
// same place.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LOCAL_CREDENTIALS, LOCAL_REGION } from "../../src/local/services.ts";
import { type FaultProxy, startFaultProxy } from "../support/faultProxy.ts";
import { HEAP_PROBE, MAIN, PROCESSOR } from "./paths.ts";
import { childrenOf } from "./processes.ts";

export interface FleetOptions {
  /** The folder for properties, logs and clocks. */
  readonly folder: string;
  readonly journal: string;
  readonly streamName: string;
  readonly kinesisUrl: string;
  readonly dynamoUrl: string;
  readonly properties: Readonly<Record<string, string | number | boolean>>;
  /** Set in the environment of every process of a run. */
  readonly mark: Readonly<Record<string, string>>;
  /** A library that sets a process's clock. If absent, clocks are left alone. */
  readonly fakeTime: string | undefined;
}

const PROBED = ["--expose-gc", "--import", HEAP_PROBE];

export class Member {
  readonly name: string;
  readonly kinesis: FaultProxy;
  readonly dynamo: FaultProxy;
  /** Whether a fault of the daemon's process is in progress. */
  isBusy = false;
  /** Exits of the daemon that no fault caused. */
  readonly surprises: string[] = [];
  readonly #options: FleetOptions;
  readonly #log: number;
  #process: ChildProcess | undefined;
  #ended: Promise<string> = Promise.resolve("never started");
  #starts = 0;
  #expected = false;

  static async create(name: string, options: FleetOptions): Promise<Member> {
    const { kinesisUrl, dynamoUrl } = options;
    const [kinesis, dynamo] = await Promise.all([kinesisUrl, dynamoUrl].map(startFaultProxy));
    if (!kinesis || !dynamo) throw new Error("a proxy did not start");
    return new Member(name, options, kinesis, dynamo);
  }

  private constructor(
    name: string,
    options: FleetOptions,
    kinesis: FaultProxy,
    dynamo: FaultProxy,
  ) {
    this.name = name;
    this.#options = options;
    this.kinesis = kinesis;
    this.dynamo = dynamo;
    mkdirSync(options.folder, { recursive: true });
    this.#log = openSync(join(options.folder, `${name}.log`), "a");
    this.setClock(0);
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** The processes of its record processors. */
  get children(): readonly number[] {
    return this.#family()
      .filter(({ isGuard }) => !isGuard)
      .map(({ pid }) => pid);
  }

  /** The process that ends the daemon's children if the daemon is killed. */
  get guard(): number | undefined {
    return this.#family().find(({ isGuard }) => isGuard)?.pid;
  }

  /** Where `heapProbe.mjs` writes the memory that the daemons retain. */
  get probeFile(): string {
    return join(this.#options.folder, `${this.name}.heap`);
  }

  get canSetClock(): boolean {
    return this.#options.fakeTime !== undefined;
  }

  /** @param keepName whether it returns with the same worker id. */
  start(keepName: boolean): void {
    if (!keepName) this.#starts += 1;
    const { mark, journal, fakeTime } = this.#options;
    const child = spawn(process.execPath, [...PROBED, MAIN, "-p", this.#writeProperties()], {
      stdio: ["ignore", this.#log, this.#log],
      detached: true,
      env: {
        PATH: process.env["PATH"],
        HOME: process.env["HOME"],
        AWS_ACCESS_KEY_ID: LOCAL_CREDENTIALS.accessKeyId,
        AWS_SECRET_ACCESS_KEY: LOCAL_CREDENTIALS.secretAccessKey,
        JOURNAL_DIR: journal,
        HEAP_PROBE: this.probeFile,
        ...mark,
        ...(fakeTime === undefined ? {} : this.#fakeTimeEnv(fakeTime)),
      },
    });
    this.#process = child;
    this.#expected = false;
    this.#ended = new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        const how = signal ?? `exit code ${code}`;
        if (this.#process === child) this.#process = undefined;
        if (!this.#expected) this.surprises.push(`${this.name} (${child.pid}) ended: ${how}`);
        resolve(how);
      });
    });
  }

  /** @returns the exit code or signal. */
  async end(signal: NodeJS.Signals): Promise<string> {
    this.#expected = true;
    this.signal(signal);
    return this.#ended;
  }

  signal(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }

  /** Sets the daemon's clock, in seconds relative to the true time. */
  setClock(seconds: number): void {
    writeFileSync(this.#clockFile, `${seconds < 0 ? "" : "+"}${seconds}`);
  }

  async dismiss(): Promise<void> {
    await this.end("SIGKILL");
    await Promise.all([this.kinesis.stop(), this.dynamo.stop()]);
  }

  get #clockFile(): string {
    return join(this.#options.folder, `${this.name}.clock`);
  }

  #family() {
    return this.pid === undefined ? [] : childrenOf(this.pid);
  }

  #fakeTimeEnv(library: string): Record<string, string> {
    return {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: this.#clockFile,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    };
  }

  #writeProperties(): string {
    const { folder, streamName, properties } = this.#options;
    const lines = Object.entries({
      executableName: `"${process.execPath}" "${PROCESSOR}"`,
      applicationName: streamName,
      streamName,
      regionName: LOCAL_REGION,
      kinesisEndpoint: this.kinesis.url,
      dynamoDBEndpoint: this.dynamo.url,
      workerId: this.#starts === 0 ? this.name : `${this.name}.${this.#starts}`,
      ...properties,
    });
    const file = join(folder, `${this.name}.properties`);
    writeFileSync(file, lines.map(([key, value]) => `${key} = ${value}\n`).join(""));
    return file;
  }
}
