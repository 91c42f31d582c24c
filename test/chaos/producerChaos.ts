// `npm run chaos -- --producer`: one producer puts records while faults occur, and our daemon reads
// them back. Nothing that the producer acknowledged may be missing, each key keeps its order, and
// each repeat is explained.

import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CreateStreamCommand, KinesisClient } from "@aws-sdk/client-kinesis";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { systemClock } from "../../src/clock.ts";
import { LOCAL_CREDENTIALS, LOCAL_REGION, startKinesis } from "../../src/local/services.ts";
import type { Scope } from "../../src/sample/scope.ts";
import { type Fault, type FaultProxy, startFaultProxy } from "../support/faultProxy.ts";
import { type Delivery, readJournals } from "./journal.ts";
import { LettersDisk } from "./letters.ts";
import type { Options } from "./options.ts";
import { WORK } from "./paths.ts";
import { checkProducer, isAcknowledged } from "./producerLedger.ts";
import { ProducerProcess } from "./producerProcess.ts";
import { startReader } from "./producerReader.ts";
import { Random } from "./random.ts";
import { reshard, untilActive } from "./shards.ts";

const FIRST_SHARDS = 2;
const KEYS = Array.from({ length: 24 }, (_, index) => `key-${index}`);
const PUT_EVERY_MS = 50;
const PUTS_IN_A_ROUND = 4;
const BURST = 500;
const BURST_SHARE = 0.01;
/** A run without backlog would prove little; one without a limit would not end. */
const MOST_OUTSTANDING = 20_000;
const READ_LIMIT_MS = 180_000;
const CALM_MS = 5_000;
const MOST_DRAINS = 10;

interface Field {
  readonly producer: ProducerProcess;
  readonly proxy: FaultProxy;
  readonly client: KinesisClient;
  readonly streamName: string;
  readonly disk: LettersDisk;
  readonly random: Random;
  readonly over: AbortSignal;
}

const PUT_FAULTS: Readonly<Record<string, Fault>> = {
  throttled: { type: "error", name: "ProvisionedThroughputExceededException" },
  "fails inside": { type: "error", name: "InternalFailure", status: 500 },
  cut: { type: "cut" },
  "cut after the request": { type: "cutAfter" },
  "response cut": { type: "truncate", bytes: 40 },
};

/** What happens, and the text for the report. */
const FAULTS: Readonly<Record<string, (field: Field) => Promise<void>>> = {
  ...Object.fromEntries(
    Object.entries(PUT_FAULTS).map(([name, fault]) => [
      name,
      async ({ proxy, random }: Field) => proxy.next("PutRecords", fault, random.whole(1, 20)),
    ]),
  ),
  "shards unknown": async ({ proxy, random }) =>
    proxy.next("ListShards", { type: "error", name: "LimitExceededException" }, random.whole(1, 3)),
  reshard: async ({ client, streamName, random }) =>
    void (await reshard(client, streamName, random)),
  killed: ({ producer }) => producer.replace(),
  "disk full": async ({ disk, random, over }) => {
    disk.fill();
    await systemClock.sleep(random.between(1_000, 5_000), over);
    disk.free();
  },
  "clock jump": async ({ producer, random, over }) => {
    producer.setClock(Math.round(random.between(-1, 1) * 10 ** random.whole(1, 5)));
    await systemClock.sleep(random.between(500, 5_000), over);
    producer.setClock(0);
  },
};

/** @returns whether nothing is wrong. */
export async function runProducerChaos(options: Options, scope: Scope): Promise<boolean> {
  const id = `producer-${options.seed}`;
  const folder = join(WORK, id);
  const journal = join(folder, "journal");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(journal, { recursive: true });
  const kinesis = await scope.use(startKinesis(), (service) => service.stop());
  const proxy = await scope.use(startFaultProxy(kinesis.url), (made) => made.stop());
  const disk = await scope.use(
    Promise.resolve(new LettersDisk(join(folder, "disk"))),
    async (made) => made.close(),
  );
  const client = new KinesisClient({
    endpoint: kinesis.url,
    region: LOCAL_REGION,
    credentials: LOCAL_CREDENTIALS,
    requestHandler: new NodeHttpHandler(),
  });
  await client.send(new CreateStreamCommand({ StreamName: id, ShardCount: FIRST_SHARDS }));
  await untilActive(client, id);

  const { fakeTime } = options;
  const spill = join(folder, "disk", "spill");
  const place = { folder, spill, streamName: id, endpoint: proxy.url, fakeTime };
  const producer = await scope.use(Promise.resolve(new ProducerProcess(place)), async (made) =>
    made.dismiss(),
  );
  producer.start();
  const ended = new AbortController();
  const field = { producer, proxy, client, streamName: id, disk };
  const random = new Random(options.seed);
  const putting = putUntil(ended.signal, producer, new Random(options.seed + 1));
  const counts = await attack({ ...field, random, over: ended.signal }, options, disk.isMounted);
  ended.abort();
  await putting;
  proxy.clear();
  const codes = await drained(producer);

  const reader = { folder, journal, streamName: id, kinesisUrl: kinesis.url };
  const deliveries = await readBack(reader, scope, producer);
  const findings = checkProducer(producer.ledger, deliveries);
  const skipped = [
    ...(fakeTime === undefined ? ["clock jump: libfaketime is not installed"] : []),
    ...(disk.isMounted ? [] : ["disk full: a file system may not be mounted"]),
  ];
  const report = { seed: options.seed, ...findings, faults: counts, exitCodes: codes, skipped };
  writeFileSync(join(folder, "ledger.json"), JSON.stringify(producer.ledger));
  writeFileSync(join(folder, "report.json"), `${JSON.stringify(report, null, 2)}\n`);
  console.log(JSON.stringify({ ...report, problems: findings.problems.slice(0, 20) }, null, 2));
  return findings.problems.length === 0;
}

async function putUntil(over: AbortSignal, producer: ProducerProcess, random: Random) {
  const next = new Map(KEYS.map((key) => [key, 0]));
  const put = (key: string) => {
    const n = next.get(key) ?? 0;
    next.set(key, n + 1);
    producer.put(key, n);
  };
  while (!over.aborted) {
    const isBurst = random.next() < BURST_SHARE;
    if (producer.outstanding < MOST_OUTSTANDING) {
      for (let i = 0; i < (isBurst ? BURST : PUTS_IN_A_ROUND); i += 1) {
        put(random.oneOf(KEYS) ?? "key-0");
      }
    }
    await systemClock.sleep(PUT_EVERY_MS, over);
  }
}

async function attack(
  field: Field,
  { minutes, pauseMs, fakeTime }: Options,
  hasDisk: boolean,
): Promise<Readonly<Record<string, number>>> {
  const names = Object.keys(FAULTS).filter(
    (name) =>
      (name !== "clock jump" || fakeTime !== undefined) && (name !== "disk full" || hasDisk),
  );
  const counts: Record<string, number> = {};
  const endMs = systemClock.monotonicMs() + minutes * 60_000;
  while (systemClock.monotonicMs() < endMs) {
    await systemClock.sleep(field.random.between(0, 2 * pauseMs));
    const name = field.random.oneOf(names) ?? "";
    counts[name] = (counts[name] ?? 0) + 1;
    await FAULTS[name]?.(field);
  }
  return counts;
}

/**
 * What the last producer accepted, or an earlier one left on disk, is stored when this ends. One
 * that has too much left when it must end exits with 1.
 */
async function drained(producer: ProducerProcess): Promise<readonly (number | null)[]> {
  const codes = [await producer.close()];
  do {
    producer.start();
    await systemClock.sleep(CALM_MS);
    codes.push(await producer.close());
  } while (codes.at(-1) !== 0 && codes.length < MOST_DRAINS);
  return codes;
}

async function readBack(
  reader: Parameters<typeof startReader>[0],
  scope: Scope,
  producer: ProducerProcess,
): Promise<readonly Delivery[]> {
  const daemon = await scope.use(Promise.resolve(startReader(reader)), (made) => made.stop());
  const read = async () => {
    if (!existsSync(reader.journal)) return [];
    const lives = await readJournals(reader.journal);
    return lives.flatMap(({ deliveries }) => deliveries).sort((a, b) => a.atMs - b.atMs);
  };
  const wanted = producer.ledger.filter(isAcknowledged);
  const endMs = systemClock.monotonicMs() + READ_LIMIT_MS;
  for (;;) {
    await systemClock.sleep(CALM_MS);
    const deliveries = await read();
    const seen = new Set(deliveries.map(({ key, n }) => `${key} ${n}`));
    const isOver = systemClock.monotonicMs() > endMs;
    if (isOver || wanted.every(({ key, n }) => seen.has(`${key} ${n}`))) break;
  }
  // What comes later would be a repeat.
  await systemClock.sleep(CALM_MS);
  await daemon.stop();
  return read();
}
