// Plays the transcripts with "java: same" to the Java daemon itself. This needs INTEROP=1, because
// it takes Java, Maven and some minutes. INTEROP=write also writes protocol/java.md.

import { mkdirSync } from "node:fs";
import type { Shard } from "@aws-sdk/client-kinesis";
import { afterAll, describe, expect, inject, it } from "vitest";
import { Scope } from "../../src/sample/scope.ts";
import { loadTranscripts } from "../../src/transcript/library.ts";
import type { Transcript } from "../../src/transcript/transcript.ts";
import { RUNS } from "../bench/paths.ts";
import type { Program } from "../bench/processes.ts";
import { useDynamo } from "../bench/services.ts";
import { createStream, shardsOf, uniqueName } from "../support/emulators.ts";
import { endOf, JAVA_VERSION, startJava } from "./javaDaemon.ts";
import { type JavaStage, playJava } from "./javaStage.ts";
import { endsTheDaemon, outOfReach, writeTable } from "./javaTable.ts";
import { Puppets } from "./puppets.ts";
import { World } from "./world.ts";

const { INTEROP, ONLY } = process.env;
const LIMIT_MS = 600_000;
/** Each shard needs a child process and a few threads. */
const SHARDS_MAX = 14;
/** How many daemons run at the same time. */
const DAEMONS_MAX = 2;
const STOP_PATIENCE_MS = 5_000;

/** The current Java daemon uses only one dialect. */
const all = (await loadTranscripts("daemon")).filter(({ dialect }) => dialect === "kcl2");
const playable = all.filter(
  (transcript) => !outOfReach(transcript) && (!ONLY || ONLY.split(",").includes(transcript.name)),
);
const outcomes = new Map<string, string | undefined>();
const scope = new Scope();
let dynamo: Promise<string> | undefined;

/** Plays some transcripts to one daemon at the same time, each on its own shard. */
async function playTogether(transcripts: readonly Transcript[]): Promise<void> {
  const used = new Scope();
  try {
    await playWith(used, transcripts);
  } finally {
    await used.close();
  }
}

async function playWith(used: Scope, transcripts: readonly Transcript[]): Promise<void> {
  mkdirSync(RUNS, { recursive: true });
  dynamo ??= useDynamo(scope, true);
  const dynamoUrl = await dynamo;
  const table = uniqueName("java");
  const stream = await createStream("java", transcripts.length);
  const shards = await shardsOf(stream);
  const puppets = await used.use(Puppets.gather(), (gathered) => gathered.release());
  const started: { program?: Program } = {};
  const ready = transcripts.map(hasStop).filter(Boolean).length;
  const stop = barrier(ready, () => process.kill(started.program?.pid ?? 0, "SIGTERM"));
  const others: Promise<unknown>[] = [];
  const stageFor = (shard: Shard | undefined): Omit<JavaStage, "ended" | "log"> => {
    if (!shard) throw new Error("fewer shards than transcripts");
    return {
      puppets,
      world: new World(stream, table, dynamoUrl, shard),
      requestStop: async () => stop(Promise.all(others)),
    };
  };
  const log = () => started.program?.log ?? "";
  let tellEnd = (_how: string): void => {};
  const ended = new Promise<string>((resolve) => {
    tellEnd = resolve;
  });
  const plays = transcripts.map(async (transcript, index) => {
    const play = playJava(transcript, { ...stageFor(shards[index]), log, ended });
    const played = play.then(
      () => outcomes.set(transcript.name, undefined),
      (error) => outcomes.set(transcript.name, brief(error)),
    );
    if (!hasStop(transcript)) others.push(played);
    await played;
  });
  const java = startJava(table, {
    executableName: puppets.command,
    streamName: stream,
    applicationName: table,
    kinesisEndpoint: inject("kinesisUrl"),
    dynamoDBEndpoint: dynamoUrl,
  });
  const program = await used.use(java, (made) => made.stop(STOP_PATIENCE_MS));
  started.program = program;
  void endOf(program).then(tellEnd);
  await Promise.all(plays);
}

/** Runs the work once, as soon as the given number of callers has arrived or ended. */
function barrier(count: number, work: () => void) {
  let come = 0;
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return async (before: Promise<unknown>): Promise<void> => {
    come += 1;
    if (come === count) {
      await before;
      work();
      open();
    }
    await opened;
  };
}

function hasStop({ steps }: Transcript): boolean {
  return steps.some(
    ({ from, ...step }) => from === "event" && JSON.stringify(step).includes("stop requested"),
  );
}

function brief(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/\s+/g, " ").slice(0, 600);
}

describe.skipIf(!INTEROP)(`the Java daemon ${JAVA_VERSION}`, () => {
  const together = playable.filter((transcript) => !endsTheDaemon(transcript));
  it.each(parts(together, SHARDS_MAX))(
    "matches: $names",
    { timeout: LIMIT_MS },
    async ({ part }) => {
      await playTogether(part);
      expect(faultsOf(part)).toEqual({});
    },
  );

  it.each(parts(playable.filter(endsTheDaemon), DAEMONS_MAX))(
    "ends when its child fails: $names",
    { timeout: LIMIT_MS },
    async ({ part }) => {
      await Promise.all(part.map((transcript) => playTogether([transcript])));
      expect(faultsOf(part)).toEqual({});
    },
  );

  afterAll(async () => {
    await scope.close();
    if (INTEROP === "write" && !ONLY) writeTable(JAVA_VERSION, all, outcomes);
  });
});

function faultsOf(transcripts: readonly Transcript[]): Record<string, string> {
  const faults = transcripts.map(({ name }) => [name, outcomes.get(name)] as const);
  return Object.fromEntries(faults.flatMap(([name, fault]) => (fault ? [[name, fault]] : [])));
}

function parts(transcripts: readonly Transcript[], size: number) {
  const count = Math.ceil(transcripts.length / size);
  return Array.from({ length: count }, (_, index) => {
    const part = transcripts.slice(index * size, (index + 1) * size);
    return { part, names: part.map(({ name }) => name).join(", ") };
  });
}
