// Plays a transcript's child to a Java daemon. The transcript's sequence numbers are replaced by
// those that Kinesis assigned, and times are the daemon's own. Everything else must match byte by
// byte.

import { expect } from "vitest";
import {
  lineOf,
  type Step,
  type Transcript,
  type TranscriptEvent,
} from "../../src/transcript/transcript.ts";
import type { Puppet, Puppets } from "./puppets.ts";
import type { SpokenRecord, World } from "./world.ts";

const HEAR_LIMIT_MS = 90_000;

export interface JavaStage {
  readonly puppets: Puppets;
  readonly world: World;
  /** Resolves when the daemon was asked to stop, which affects all transcripts at once. */
  requestStop(): Promise<void>;
  /** The whole log of the daemon. */
  log(): string;
  /** How the daemon ended. */
  readonly ended: Promise<string>;
}

interface Line {
  readonly action: string;
  readonly sequenceNumber?: string;
  readonly subSequenceNumber?: number;
  readonly records?: readonly (SpokenRecord & Readonly<Record<string, unknown>>)[];
}

export async function playJava(transcript: Transcript, stage: JavaStage): Promise<void> {
  const player = new Player(stage);
  await player.enter(transcript);
  for (const step of transcript.steps) await player.perform(step);
}

class Player {
  readonly #stage: JavaStage;
  readonly #numbers = new Map<string, string>();
  #puppet: Puppet | undefined;

  constructor(stage: JavaStage) {
    this.#stage = stage;
  }

  /**
   * Waits for the child. If the transcript starts at a checkpoint, waits for the child after the
   * lease was moved there.
   */
  async enter({ steps }: Transcript): Promise<void> {
    const { puppets, world } = this.#stage;
    const first = await within(puppets.next(world.shardId), "the first child");
    const begin = steps.find(({ from }) => from === "daemon");
    const { sequenceNumber = "TRIM_HORIZON", subSequenceNumber = 0 } = begin
      ? (JSON.parse(lineOf(begin)) as Line)
      : {};
    if (sequenceNumber === "TRIM_HORIZON") {
      this.#puppet = first;
      return;
    }
    void first.answerAll().catch(() => {});
    if (/^\d/.test(sequenceNumber)) {
      const done = { data: "Y2F0", partitionKey: "before", sequenceNumber };
      // The first batch must exist before the child, or it would arrive in parts.
      await this.#put([
        ...Array.from({ length: subSequenceNumber + 1 }, () => done),
        ...firstBatch(steps),
      ]);
    }
    const second = puppets.next(world.shardId);
    await world.takeLease([this.#real(sequenceNumber), subSequenceNumber]);
    this.#puppet = await within(second, "the child after the lease was moved");
  }

  async perform(step: Step): Promise<void> {
    if (step.from === "child") return this.#send({ say: this.#real(lineOf(step)) });
    if (step.from === "event") return this.#happen(step.event);
    const expected = lineOf(step);
    const { records } = JSON.parse(expected) as Line;
    if (records) await this.#put(records);
    const line = await this.#readLine();
    expect(line).toBe(records ? this.#batch(expected, line ?? "{}") : this.#plain(expected));
  }

  async #happen(event: TranscriptEvent): Promise<void> {
    const { world, requestStop, log, ended } = this.#stage;
    switch (event.type) {
      case "lease lost":
        return world.takeLease();
      case "stop requested":
        return requestStop();
      case "shard ended":
        return world.endShard();
      case "stored":
        expect(await world.stored()).toBe(this.#real(event.text));
        return;
      case "stderr":
        this.#send({ warn: event.text });
        return waitUntil(() => log().includes(event.text), `the log to have ${event.text}`);
      case "stdin closes":
        expect(await this.#readLine()).toBeNull();
        return;
      case "stdout closes":
        return this.#send({ hangUp: true });
      case "child exits":
        return this.#send({ exit: Number(event.text) });
      case "child fails":
        this.#send({ leave: true });
        expect(await within(ended, "the daemon's end")).toBe("exit code 1");
        return;
      default:
        throw new Error(`"${event.type}" cannot be caused here`);
    }
  }

  async #put(records: readonly SpokenRecord[]): Promise<void> {
    const missing = records.filter(({ sequenceNumber }) => !this.#numbers.has(sequenceNumber));
    if (missing.length === 0) return;
    for (const [ours, theirs] of await this.#stage.world.put(missing))
      this.#numbers.set(ours, theirs);
  }

  #send(order: Readonly<Record<string, unknown>>): void {
    this.#puppet?.send(order);
  }

  async #readLine(): Promise<string | null> {
    if (!this.#puppet) throw new Error("there is no child");
    return within(this.#puppet.readLine(), "a line of the daemon");
  }

  /** A line other than a batch, as this daemon should write it. */
  #plain(expected: string): string {
    return this.#real(expected).replace("shardId-000000000000", this.#stage.world.shardId);
  }

  #batch(expected: string, line: string): string {
    const theirs = JSON.parse(line) as Line & { readonly millisBehindLatest?: unknown };
    const ours = JSON.parse(this.#real(expected)) as Line;
    const records = ours.records?.map((record, index) => ({
      ...record,
      approximateArrivalTimestamp: theirs.records?.[index]?.["approximateArrivalTimestamp"],
    }));
    return JSON.stringify({ ...ours, records, millisBehindLatest: theirs.millisBehindLatest });
  }

  /** Numbers without a record lie as far before or beyond the known ones as in the transcript. */
  #real(text: string): string {
    return text.replace(
      /\d{20,}/g,
      (number) => this.#numbers.get(number) ?? this.#relative(number),
    );
  }

  #relative(number: string): string {
    const known = [...this.#numbers].map(
      ([ours, theirs]) => [BigInt(ours), BigInt(theirs)] as const,
    );
    const wanted = BigInt(number);
    const [ours, theirs] = known.filter(([each]) => each < wanted).at(-1) ?? known[0] ?? [0n, 0n];
    return (theirs + (wanted - ours)).toString();
  }
}

function firstBatch(steps: readonly Step[]): readonly SpokenRecord[] {
  for (const step of steps) {
    if (step.from !== "daemon") continue;
    const { records } = JSON.parse(lineOf(step)) as Line;
    if (records) return records;
  }
  return [];
}

export async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    const text = `timed out after ${HEAR_LIMIT_MS / 1000} s waiting for ${what}`;
    timer = setTimeout(() => reject(new Error(text)), HEAR_LIMIT_MS);
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
}

async function waitUntil(holds: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + HEAR_LIMIT_MS;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`timed out waiting for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
