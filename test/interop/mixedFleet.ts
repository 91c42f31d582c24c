// A stream, a table, and workers of both kinds, all started with the same properties. Records are
// put all the time. The processors of both write down what they receive. The processors and the
// checker are those of the chaos run.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { KinesisClient } from "@aws-sdk/client-kinesis";
import { LOCAL_CREDENTIALS } from "../../src/local/services.ts";
import type { Scope } from "../../src/sample/scope.ts";
import { RUNS } from "../bench/paths.ts";
import { Program } from "../bench/processes.ts";
import { check, type Findings } from "../chaos/checker.ts";
import { FaultLog, nowMs } from "../chaos/faultLog.ts";
import { type Life, readJournals } from "../chaos/journal.ts";
import { type PutRecord, putUntil } from "../chaos/putter.ts";
import { Random } from "../chaos/random.ts";
import { MAIN } from "../support/daemon.ts";
import { leaseItems, testKinesis, until } from "../support/emulators.ts";
import { findForeignWrites } from "./foreignWrites.ts";
import { type JavaRelease, javaProperties, startJava, writeProperties } from "./javaDaemon.ts";
import { openShards, splitAndMerge } from "./resharding.ts";
import { type LeaseWrite, startWriteWitness, type WriteWitness } from "./writeWitness.ts";

export interface Member {
  readonly name: string;
  readonly kind: "java" | "node";
  readonly program: Program;
  /** How many calls of an operation succeeded. */
  readonly succeeded: WriteWitness["succeeded"];
}

export interface FleetOptions {
  readonly stream: string;
  readonly dynamoUrl: string;
  readonly kinesisUrl: string;
  readonly java?: JavaRelease;
}

const PROCESSOR = new URL("../chaos/processor.mjs", import.meta.url).pathname;
const KEYS = Array.from({ length: 24 }, (_, index) => `key-${index}`);
const ROUND_MS = 250;
const LIMIT_MS = 240_000;
const FAILOVER_MS = 3_000;
/**
 * A worker that is paused this long has lost its leases, even if it trusts them when it wakes up.
 */
const SLEEP_MS = 3 * FAILOVER_MS;
const STOP_PATIENCE_MS = 30_000;
/** The checks of order and loss do not depend on a delay. */
const NO_BOUND_MS = Number.POSITIVE_INFINITY;

export class MixedFleet {
  readonly writes: LeaseWrite[] = [];
  readonly ledger: PutRecord[] = [];
  readonly #options: FleetOptions;
  readonly #scope: Scope;
  readonly #folder: string;
  readonly #client: KinesisClient;
  readonly #faults = new FaultLog();
  readonly #putting = new AbortController();
  /** The workers that are expected to run. */
  readonly #living = new Set<Member>();
  #put: Promise<void> = Promise.resolve();

  private constructor(options: FleetOptions, scope: Scope, folder: string) {
    this.#options = options;
    this.#scope = scope;
    this.#folder = folder;
    this.#client = testKinesis(options.kinesisUrl);
  }

  static async open(options: FleetOptions, scope: Scope): Promise<MixedFleet> {
    const folder = await scope.use(mkdtemp(join(tmpdir(), "kinesis-multilang-fleet-")), (made) =>
      rm(made, { recursive: true, force: true }),
    );
    const fleet = new MixedFleet(options, scope, folder);
    fleet.#put = putUntil(
      fleet.#putting.signal,
      {
        client: fleet.#client,
        streamName: options.stream,
        random: new Random(1),
        keys: KEYS,
        roundMs: ROUND_MS,
        poisonEvery: 0,
      },
      fleet.ledger,
    );
    await scope.use(Promise.resolve(fleet), (made) => made.#close());
    return fleet;
  }

  async start(kind: Member["kind"], name: string): Promise<Member> {
    const { stream, dynamoUrl, kinesisUrl, java } = this.#options;
    const witness = await this.#scope.use(startWriteWitness(name, dynamoUrl, this.writes), (made) =>
      made.stop(),
    );
    const properties = javaProperties({
      executableName: `${process.execPath} ${PROCESSOR}`,
      streamName: stream,
      applicationName: stream,
      workerId: name,
      kinesisEndpoint: kinesisUrl,
      dynamoDBEndpoint: witness.url,
      failoverTimeMillis: String(FAILOVER_MS),
      maxLeasesToStealAtOneTime: "2",
      shutdownGraceMillis: "15000",
    });
    const env = { JOURNAL_DIR: this.#folder };
    const program = await this.#scope.use(
      kind === "java"
        ? startJava(`${stream}-${name}`, properties, java, env)
        : this.#startNode(name, properties, env),
      (made) => made.stop(STOP_PATIENCE_MS),
    );
    this.#faults.begin(`${kind} joined`, { who: "daemon", worker: name, pid: program.pid })();
    const member = { name, kind, program, succeeded: witness.succeeded };
    this.#living.add(member);
    return member;
  }

  async #startNode(
    name: string,
    properties: Readonly<Record<string, string>>,
    env: Readonly<Record<string, string>>,
  ): Promise<Program> {
    const file = writeProperties(`${this.#options.stream}-${name}`, properties);
    return new Program([process.execPath, MAIN, "-p", file, "--log-level", "debug"], {
      logFile: join(RUNS, `${this.#options.stream}-${name}.log`),
      env: {
        AWS_ACCESS_KEY_ID: LOCAL_CREDENTIALS.accessKeyId,
        AWS_SECRET_ACCESS_KEY: LOCAL_CREDENTIALS.secretAccessKey,
        ...env,
      },
    });
  }

  kill(member: Member): void {
    const { kind, name, program } = member;
    this.#living.delete(member);
    this.#faults.begin(`${kind} killed`, { who: "daemon", worker: name, pid: program.pid })();
    process.kill(program.pid, "SIGKILL");
  }

  async terminate(member: Member): Promise<void> {
    const { kind, name, program } = member;
    this.#living.delete(member);
    const over = this.#faults.begin(`${kind} asked to end`, {
      who: "daemon",
      worker: name,
      pid: program.pid,
    });
    await program.stop(STOP_PATIENCE_MS);
    over();
  }

  /**
   * Stops the daemon's process, but not its children, for three lease times and until `holds`.
   *
   * @returns how long that took since the stop, in seconds, and a function that resumes it.
   */
  async pause(
    { kind, name, program }: Member,
    what: string,
    holds: (shares: Readonly<Record<string, number>>) => boolean,
  ): Promise<{ readonly seconds: number; resume(): Promise<number> }> {
    const target = { who: "daemon", worker: name, pid: program.pid } as const;
    const over = this.#faults.begin(`${kind} stopped`, target);
    const pausedMs = nowMs();
    process.kill(program.pid, "SIGSTOP");
    const seconds = await this.untilShares(what, holds);
    await sleep(Math.max(0, pausedMs + SLEEP_MS - nowMs()));
    const resume = async () => {
      const resumedMs = nowMs();
      process.kill(program.pid, "SIGCONT");
      over();
      await sleep(SLEEP_MS);
      return givenAfterLoss(await readJournals(this.#folder), program.pid, pausedMs, resumedMs);
    };
    return { seconds, resume };
  }

  /** How many open shards each worker works on. */
  async shares(): Promise<Readonly<Record<string, number>>> {
    const counts: Record<string, number> = {};
    const items = await leaseItems(this.#options.stream, this.#options.dynamoUrl);
    for (const item of items.values()) {
      const { checkpoint, leaseOwner, checkpointOwner, entityType = "LEASE" } = item;
      if (entityType !== "LEASE" || checkpoint === "SHARD_END") continue;
      const owner = checkpointOwner ?? leaseOwner ?? "nobody";
      counts[owner] = (counts[owner] ?? 0) + 1;
    }
    return counts;
  }

  /**
   * Waits until the workers hold the given numbers of leases.
   * @returns how long that took, in seconds.
   */
  async untilShares(
    what: string,
    holds: (shares: Readonly<Record<string, number>>) => boolean,
  ): Promise<number> {
    const began = performance.now();
    let last = {};
    try {
      await until(
        what,
        async () => {
          for (const { program } of this.#living) program.mustRun();
          last = await this.shares();
          return holds(last);
        },
        LIMIT_MS,
      );
    } catch (cause) {
      throw new Error(`timed out waiting for ${what}; the shares are ${JSON.stringify(last)}`, {
        cause,
      });
    }
    return (performance.now() - began) / 1000;
  }

  /** Splits one open shard and merges two others that are neighbours. */
  async reshard(): Promise<void> {
    const over = this.#faults.begin("resharded", { who: "stream" });
    await splitAndMerge(this.#client, this.#options.stream);
    over();
  }

  /**
   * Whether every open shard has a lease with an active owner, and every closed shard is finished.
   */
  async isThrough(): Promise<boolean> {
    const open = await openShards(this.#client, this.#options.stream);
    const items = await leaseItems(this.#options.stream, this.#options.dynamoUrl);
    const unfinished = [...items].filter(
      ([, { checkpoint, entityType = "LEASE" }]) =>
        entityType === "LEASE" && checkpoint !== "SHARD_END",
    );
    return (
      unfinished.length === open.length &&
      unfinished.every(([, { leaseOwner }]) => leaseOwner !== undefined) &&
      unfinished.every(([id]) => open.some(({ ShardId }) => ShardId === id))
    );
  }

  /** Stops putting records, and returns when all of them have been delivered. */
  async drain(): Promise<void> {
    this.#putting.abort();
    await this.#put;
    await until(
      "all records to be delivered",
      async () => !(await this.findings()).problems.some((problem) => problem.startsWith("LOST")),
      LIMIT_MS,
    );
  }

  async findings(): Promise<Findings> {
    const lives = await readJournals(this.#folder);
    const evidence = { ledger: this.ledger, lives, faults: this.#faults.entries, letters: [] };
    return check(evidence, NO_BOUND_MS);
  }

  foreignWrites(): readonly string[] {
    return findForeignWrites(this.writes);
  }

  async #close(): Promise<void> {
    this.#putting.abort();
    await this.#put.catch(() => {});
    this.#client.destroy();
  }
}

/**
 * Records that went to children of a worker that was paused, on shards that another worker had
 * meanwhile started to read.
 */
function givenAfterLoss(
  lives: readonly Life[],
  daemonPid: number,
  pausedMs: number,
  resumedMs: number,
): number {
  const begunElsewhere = new Set(
    lives
      .filter((life) => life.daemonPid !== daemonPid)
      .filter(({ initializedMs }) => initializedMs > pausedMs && initializedMs < resumedMs)
      .map(({ shardId }) => shardId),
  );
  return lives
    .filter((life) => life.daemonPid === daemonPid && life.startedMs < pausedMs)
    .filter(({ shardId }) => begunElsewhere.has(shardId))
    .flatMap(({ deliveries }) => deliveries)
    .filter(({ atMs }) => atMs > resumedMs).length;
}
