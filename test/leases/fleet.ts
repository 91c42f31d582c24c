// Workers for tests: real coordinators on a real table, with shards made up by the test and
// consumers that wait.

import { inject } from "vitest";
import { dynamoClient } from "../../src/aws/dynamoClient.ts";
import { type Clock, systemClock } from "../../src/clock.ts";
import type { Event } from "../../src/events.ts";
import { Coordinator } from "../../src/leases/coordinator.ts";
import type { Consume, HeldLease } from "../../src/leases/heldLease.ts";
import type { FleetTables } from "../../src/leases/kcl3/fleetTables.ts";
import { LEASE_DEFAULTS, type LeaseSettings } from "../../src/leases/settings.ts";
import type { LeasedStream } from "../../src/leases/streamLeases.ts";
import { dynamoLeaseTable } from "../../src/leases/table/dynamoTable.ts";
import type { LeaseTable } from "../../src/leases/table.ts";
import { LOCAL_CREDENTIALS, LOCAL_REGION } from "../../src/local/services.ts";
import type { Shard, ShardFilter } from "../../src/model/shard.ts";
import { LAST_HASH_KEY } from "../../src/model/shard.ts";
import { uniqueName } from "../support/emulators.ts";

export const never: AbortSignal = new AbortController().signal;

export function openClient(endpoint: string = inject("dynamoUrl")) {
  return dynamoClient({ endpoint, region: LOCAL_REGION, credentials: LOCAL_CREDENTIALS });
}

export async function openTable(
  tableName: string = uniqueName("leases"),
  endpoint?: string,
): Promise<LeaseTable> {
  const options = { tableName, deletionProtection: false, pointInTimeRecovery: false };
  return dynamoLeaseTable(await openClient(endpoint), options, systemClock);
}

/** `count` open shards side by side: shardId-000000000000, … */
export function shardsSideBySide(count: number): readonly Shard[] {
  const width = (LAST_HASH_KEY + 1n) / BigInt(count);
  return Array.from({ length: count }, (_, i) => ({
    shardId: `shardId-${String(i).padStart(12, "0")}`,
    parentShardIds: [],
    hashKeyRange: {
      startingHashKey: String(width * BigInt(i)),
      endingHashKey: String(i === count - 1 ? LAST_HASH_KEY : width * BigInt(i + 1) - 1n),
    },
    startingSequenceNumber: String(100 + i),
  }));
}

/** Keeps the lease until it is lost or a stop is requested. */
const holdOn: Consume = (lease) => over(lease);

export function over(lease: HeldLease): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of [lease.lost, lease.stopRequested]) {
      if (signal.aborted) resolve();
      else signal.addEventListener("abort", () => resolve(), { once: true });
    }
  });
}

/**
 * Waits for the parents as long as there is sense in it, without ever asking for the sake of
 * asking.
 */
export async function parentsOf(lease: HeldLease): Promise<void> {
  while (!lease.lost.aborted && !lease.stopRequested.aborted && !(await lease.parentsEnded())) {
    await lease.parentsChanged(3_600_000);
  }
}

export interface WorkerOptions {
  readonly table: LeaseTable;
  readonly workerId?: string;
  readonly shards?: readonly Shard[];
  readonly streams?: readonly LeasedStream[];
  readonly listShards?: (filter: ShardFilter) => Promise<readonly Shard[]>;
  readonly settings?: Partial<LeaseSettings>;
  readonly consume?: Consume;
  readonly clock?: Clock;
  readonly fleet?: FleetTables;
}

/** A running coordinator whose events can be waited for. */
export class Worker {
  readonly workerId: string;
  readonly events: Event[] = [];
  /** The leases that its consumers hold now. */
  readonly held = new Map<string, HeldLease>();
  readonly ended: Promise<void>;
  readonly #stop = new AbortController();
  readonly #kill = new AbortController();
  readonly #waiting = new Set<() => void>();

  constructor({ table, workerId, shards = [], ...options }: WorkerOptions) {
    this.workerId = workerId ?? uniqueName("worker");
    const consume = options.consume ?? holdOn;
    const coordinator = new Coordinator({
      table,
      workerId: this.workerId,
      ...(options.fleet && { fleet: options.fleet }),
      streams: options.streams ?? [{ listShards: options.listShards ?? (async () => shards) }],
      settings: { ...LEASE_DEFAULTS, failoverTimeMillis: 2_000, ...options.settings },
      clock: options.clock ?? systemClock,
      random: Math.random,
      emit: (event) => {
        this.events.push(event);
        this.#look();
      },
      consume: async (lease) => {
        this.held.set(lease.shardId, lease);
        this.#look();
        try {
          await consume(lease);
        } finally {
          this.held.delete(lease.shardId);
          this.#look();
        }
      },
    });
    this.ended = coordinator.run(this.#stop.signal, this.#kill.signal);
    this.ended.catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.ended;
  }

  async kill(): Promise<void> {
    this.#kill.abort();
    await this.ended;
  }

  /** Resolves when the condition holds, looked at after each event and change of consumers. */
  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!holds()) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }

  untilEvent<T extends Event["type"]>(
    type: T,
    matches: (event: Extract<Event, { type: T }>) => boolean = () => true,
  ): Promise<Extract<Event, { type: T }>> {
    const found = () => this.all(type).find(matches);
    return this.until(() => found() !== undefined).then(() => {
      const event = found();
      if (!event) throw new Error("the event went away");
      return event;
    });
  }

  all<T extends Event["type"]>(type: T): Extract<Event, { type: T }>[] {
    return this.events.filter((event): event is Extract<Event, { type: T }> => event.type === type);
  }

  #look(): void {
    for (const look of [...this.#waiting]) look();
  }
}
