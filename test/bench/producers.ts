// The programs that put records for the bench: ours, the Kinesis Producer Library, and plain
// PutRecords calls. They have the same arguments and output (producers/drive.mjs).

import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { BENCH, ROOT, WORK } from "./paths.ts";
import { cpuSeconds, memory, processTree } from "./proc.ts";
import { type Command, runToEnd } from "./processes.ts";
import { type MavenArtifact, mavenLibrary } from "./tools.ts";

export const KPL: MavenArtifact = {
  group: "software.amazon.kinesis",
  artifact: "amazon-kinesis-producer",
  version: "1.0.7",
};

export interface ProducerRival {
  readonly label: string;
  readonly command: Command;
}

export interface Load {
  readonly endpoint: string;
  readonly bytes: number;
  readonly warmUp: number;
  readonly records: number;
  /** 0: as fast as it can. */
  readonly perSecond: number;
  /** Records that wait for an outcome. */
  readonly mostOutstanding: number;
}

const DRIVER = join(BENCH, "producers", "drive.mjs");

export async function producerRivals(main: string, kpl: boolean): Promise<ProducerRival[]> {
  const library = join(ROOT, main, "..", "producer.js");
  const rivals: ProducerRival[] = [
    { label: "kinesis-multilang", command: [process.execPath, DRIVER, library] },
  ];
  if (kpl) rivals.push({ label: `KPL ${KPL.version}`, command: await kplCommand() });
  rivals.push({ label: "SDK, not aggregated", command: [process.execPath, DRIVER, "sdk"] });
  return rivals;
}

async function kplCommand(): Promise<Command> {
  const library = join(await mavenLibrary(KPL), "*");
  const classes = join(WORK, "kpl");
  await runToEnd(
    ["javac", "-cp", library, "-d", classes, join(BENCH, "producers", "Kpl.java")],
    ROOT,
  );
  return ["java", "-cp", `${classes}:${library}`, "Kpl", "kpl"];
}

/** CPU seconds of the program itself, and of the processes that it has started. */
export interface Cost {
  readonly own: number;
  readonly children: number;
}

/** A program that has put its first records, and waits to be measured. */
export class Driver {
  readonly #child;
  readonly #lines: AsyncIterator<string>;

  constructor({ command: [program, ...args] }: ProducerRival, load: Load) {
    const { endpoint, bytes, warmUp, records, perSecond, mostOutstanding } = load;
    const numbers = [bytes, warmUp, records, perSecond, mostOutstanding].map(String);
    const env = { AWS_ACCESS_KEY_ID: "local", AWS_SECRET_ACCESS_KEY: "local" };
    this.#child = spawn(program, [...args, endpoint, ...numbers], {
      // The service's certificate is signed by nobody.
      env: { ...process.env, ...env, NODE_TLS_REJECT_UNAUTHORIZED: "0" },
      stdio: ["pipe", "pipe", "ignore"],
    });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async warmedUp(): Promise<void> {
    await this.#line("begin");
  }

  /** Puts the records. @returns how many failed. */
  async put(): Promise<number> {
    this.#child.stdin.write("\n");
    return Number((await this.#line("end")).split(" ")[1]);
  }

  cost(): Cost {
    const [own, ...children] = this.#pids;
    return { own: cpuSeconds(own === undefined ? [] : [own]), children: cpuSeconds(children) };
  }

  peakMib(): number {
    return memory(this.#pids).peakMib;
  }

  /** Ends the program and what it has started. */
  kill(): void {
    for (const pid of this.#pids) process.kill(pid, "SIGKILL");
  }

  get #pids(): readonly number[] {
    return processTree(this.#child.pid ?? -1, new Set());
  }

  async #line(word: string): Promise<string> {
    for (;;) {
      const next = await this.#lines.next();
      if (next.done) throw new Error(`the producer ended before it wrote ${word}`);
      if (next.value.startsWith(word)) return next.value;
    }
  }
}
