// The time from the start of a record's put until the child has read its line, by enhanced fan-out.
// A plain subscriber of the same stream shows the service's part of that time.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Daemon } from "./daemons.ts";
import { EmulatedStream } from "./emulated.ts";
import { ageColumns, type LatencyOptions, measureAges } from "./latency.ts";
import { Notes } from "./notes.ts";
import { BIN, RUNS, uniqueName } from "./paths.ts";
import { Program } from "./processes.ts";
import { retrievalProperties } from "./retrieval.ts";
import type { Case, Figures } from "./series.ts";
import { startFakeKinesis } from "./services.ts";
import { type Column, quantile } from "./table.ts";

export interface PushOptions extends LatencyOptions {
  /** If absent, each run has a fake Kinesis, which pushes a record the moment it is put. */
  readonly emulatorUrl?: string;
}

export const PUSH_COLUMNS: readonly Column[] = [
  ...ageColumns(1),
  { figure: "plainP50", title: "plain subscriber, p50", digits: 1 },
  { figure: "addedP50", title: "the daemon's own", digits: 1, better: "less" },
  { figure: "records", title: "Records", digits: 0 },
];

const STOP_PATIENCE_MS = 2_000;

export function pushCases(options: PushOptions): readonly Case[] {
  const { emulatorUrl } = options;
  return [
    {
      labels: { Service: emulatorUrl ? "emulated" : "fake" },
      measure: async (daemon) => {
        if (emulatorUrl) return measure(daemon, emulatorUrl, options);
        const fake = await startFakeKinesis({ shards: 1, recordsPerShard: 0, bytes: 0 });
        try {
          return await measure(daemon, fake.url, options);
        } finally {
          await fake.stop();
        }
      },
    },
  ];
}

async function measure(daemon: Daemon, url: string, options: PushOptions): Promise<Figures> {
  const stream = await EmulatedStream.create(url);
  const plain = new PlainSubscriber(url, await stream.consumer("plain"));
  try {
    const figures = await measureAges(daemon, stream, retrievalProperties("fanout"), options);
    const ages = plain.ages().slice(-(figures["records"] ?? 0));
    const plainP50 = quantile(ages, 0.5);
    return { ...figures, plainP50, addedP50: (figures["p50"] ?? Number.NaN) - plainP50 };
  } finally {
    await plain.stop();
    stream.close();
  }
}

class PlainSubscriber {
  readonly #notes: Notes;
  readonly #program: Program;

  constructor(url: string, consumerArn: string) {
    const folder = join(RUNS, `${uniqueName()}-subscriber`);
    const notesFolder = join(folder, "notes");
    mkdirSync(notesFolder, { recursive: true });
    this.#notes = new Notes(notesFolder);
    this.#program = new Program(
      [join(BIN, "subscriber"), `-url=${url}`, `-consumer=${consumerArn}`],
      { logFile: join(folder, "log"), env: { BENCH_NOTES: notesFolder } },
    );
  }

  ages(): readonly number[] {
    this.#program.mustRun();
    this.#notes.poll();
    return this.#notes.of("age").map(({ ageMs }) => ageMs);
  }

  async stop(): Promise<void> {
    await this.#program.stop(STOP_PATIENCE_MS);
    this.#notes.close();
  }
}
