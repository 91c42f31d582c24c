// `npm run chaos`: a fleet of daemons reads a stream while faults occur. A checker then reports
// whether anything was lost, reordered or repeated without a reason. It only knows what was put,
// what the processors wrote and which faults occurred. The exit code is 0 if nothing is wrong.
// README.md lists the faults and their effects.

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CreateStreamCommand, KinesisClient } from "@aws-sdk/client-kinesis";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { systemClock } from "../../src/clock.ts";
import {
  LOCAL_CREDENTIALS,
  LOCAL_REGION,
  startDynamo,
  startKinesis,
} from "../../src/local/services.ts";
import { Scope } from "../../src/sample/scope.ts";
import { attack } from "./attack.ts";
import { check } from "./checker.ts";
import { endFleet } from "./ending.ts";
import { FaultLog } from "./faultLog.ts";
import { type FleetOptions, Member } from "./fleet.ts";
import { readJournals } from "./journal.ts";
import { LettersDisk } from "./letters.ts";
import { type Options, readOptions } from "./options.ts";
import { WORK } from "./paths.ts";
import { runProducerChaos } from "./producerChaos.ts";
import { type PutRecord, putUntil } from "./putter.ts";
import { Random } from "./random.ts";
import { printReport, type Report } from "./report.ts";
import { untilActive } from "./shards.ts";
import { findGrowth, trends, watch } from "./watch.ts";

const FIRST_SHARDS = 3;
const KEYS = Array.from({ length: 24 }, (_, index) => `key-${index}`);
const PUT_EVERY_MS = 100;
const POISON_EVERY = 3_000;

/** No record may wait longer, whatever happens to its shard: this is the documented limit. */
const DELAY_BOUND_MS = 90_000;

const PROPERTIES = {
  initialPositionInStream: "TRIM_HORIZON",
  retrievalMode: "POLLING",
  idleTimeBetweenReadsInMillis: 250,
  maxRecords: 100,
  failoverTimeMillis: 3_000,
  parentShardPollIntervalMillis: 500,
  timeoutInSeconds: 4,
  shutdownGraceMillis: 8_000,
  maximumRetryAttempts: 2,
  bisectBatchOnFunctionError: true,
  maxChildRestarts: 4,
  childRestartWindowMillis: 15_000,
};

async function run(options: Options, scope: Scope): Promise<Report> {
  const id = `chaos-${options.seed}`;
  const folder = join(WORK, id);
  const journal = join(folder, "journal");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(journal, { recursive: true });
  const kinesis = await scope.use(startKinesis(), (service) => service.stop());
  const dynamo = await scope.use(startDynamo(), (service) => service.stop());
  const disk = await scope.use(
    Promise.resolve(new LettersDisk(join(folder, "letters"))),
    async (made) => made.close(),
  );
  const client = kinesisAt(kinesis.url);
  await client.send(new CreateStreamCommand({ StreamName: id, ShardCount: FIRST_SHARDS }));
  await untilActive(client, id);

  const log = new FaultLog();
  const fleet = await startFleet(scope, options, log, {
    folder,
    journal,
    streamName: id,
    kinesisUrl: kinesis.url,
    dynamoUrl: dynamo.url,
    properties: {
      ...PROPERTIES,
      parallelizationFactor: options.lanes,
      onFailureDestination: `file:${disk.file}`,
    },
    mark: { CHAOS_RUN: id, ...(options.sabotage && { SABOTAGE: options.sabotage }) },
    fakeTime: options.fakeTime,
  });

  const ledger: PutRecord[] = [];
  const random = new Random(options.seed);
  const over = new AbortController();
  const putRandom = new Random(options.seed + 1);
  const putting = putUntil(
    over.signal,
    {
      client,
      streamName: id,
      random: putRandom,
      keys: KEYS,
      roundMs: PUT_EVERY_MS,
      poisonEvery: POISON_EVERY,
    },
    ledger,
  );
  const [survivor] = fleet;
  const watching = watch(() => survivor?.pid, survivor?.probeFile ?? "", over.signal);
  const field = { fleet, random, log, disk, client, streamName: id };
  await attack(field, options, options.minutes * 60_000);
  over.abort();
  const [samples] = await Promise.all([watching, putting]);

  const endings = await endFleet({ fleet, journal, disk, ledger, dynamoUrl: dynamo.url, id });
  const lives = await readJournals(journal);
  const evidence = { ledger, lives, faults: log.entries, letters: disk.read() };
  const findings = check(evidence, DELAY_BOUND_MS);
  const problems = [...findings.problems, ...endings, ...findGrowth(samples)];
  const report: Report = {
    passed: problems.length === 0,
    seed: options.seed,
    minutes: options.minutes,
    ...findings,
    problems,
    faults: log.counts(),
    skipped: options.fakeTime ? [] : ["clock jump: libfaketime is not installed"],
    trends: trends(samples),
  };
  writeFileSync(join(folder, "faults.json"), JSON.stringify(log.entries, null, 1));
  writeFileSync(join(folder, "ledger.json"), JSON.stringify(ledger));
  writeFileSync(join(folder, "letters.json"), JSON.stringify(evidence.letters));
  writeFileSync(join(folder, "report.json"), `${JSON.stringify(report, null, 2)}\n`);
  return report;
}

async function startFleet(
  scope: Scope,
  { daemons }: Options,
  log: FaultLog,
  options: FleetOptions,
) {
  const names = Array.from({ length: daemons }, (_, index) => String.fromCharCode(97 + index));
  const fleet: Member[] = [];
  for (const name of names) {
    const member = await scope.use(Member.create(name, options), (made) => made.dismiss());
    member.start(true);
    // This is not a fault, but a reason to redistribute the leases.
    log.begin("daemon joined", { who: "daemon", worker: name, pid: member.pid ?? 0 })();
    fleet.push(member);
    await systemClock.sleep(300);
  }
  return fleet;
}

function kinesisAt(endpoint: string): KinesisClient {
  return new KinesisClient({
    endpoint,
    region: LOCAL_REGION,
    credentials: LOCAL_CREDENTIALS,
    requestHandler: new NodeHttpHandler(),
  });
}

async function isPassed(options: Options): Promise<boolean> {
  if (options.producer) return runProducerChaos(options, scope);
  const report = await run(options, scope);
  printReport(report, join(WORK, `chaos-${options.seed}`, "report.json"));
  return report.passed;
}

const options = readOptions(process.argv.slice(2));
console.log(`seed ${options.seed}, ${options.minutes} minutes, ${options.daemons} daemons`);
const scope = new Scope();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => void scope.close().then(() => process.exit(130)));
}
try {
  process.exitCode = (await isPassed(options)) ? 0 : 1;
} finally {
  await scope.close();
}
