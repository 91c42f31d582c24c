// One worker: what src/leases/coordinator.ts and holdings.ts do with their decisions, with
// callbacks. It scans, decides what to take, takes it, requests leases from others, and lets a
// consumer work on each lease that it holds.

import { accept } from "../../../src/leases/decisions/acceptance.ts";
import { assign, type Take } from "../../../src/leases/decisions/assignment.ts";
import { observe } from "../../../src/leases/decisions/observation.ts";
import {
  rescanMs,
  sizeOf,
  spacingMs,
  startingRestMs,
} from "../../../src/leases/decisions/scanPace.ts";
import {
  NO_UNHELD_LEASES,
  TOLERATED_RENEWALS,
  type UnheldLeases,
  watchUnheldLeases,
} from "../../../src/leases/holding/duplicateWorker.ts";
import { WRITES_TO_TAKE } from "../../../src/leases/holding/takeLease.ts";
import { actualOwner, blocksChildren, type Lease, nextOwner } from "../../../src/leases/lease.ts";
import { writes } from "../rowWrites.ts";
import type { Event } from "../schedule.ts";
import { PureConsumer } from "./consumer.ts";
import { Housekeeping } from "./housekeeping.ts";
import { Memory } from "./memory.ts";
import { ask } from "./request.ts";
import { Service, type ServiceParts } from "./service.ts";
import { PureTenure } from "./tenure.ts";

interface Held {
  readonly tenure: PureTenure;
  readonly consumer: PureConsumer;
}

const AT_ONCE = 8;
const EMPTY_RESCAN_MS = 50;

export class PureWorker {
  readonly #parts: ServiceParts;
  readonly #service: Service;
  readonly #housekeeping: Housekeeping;
  readonly #held = new Map<string, Held>();
  readonly #requests = new Set<string>();
  readonly #expectedUntilMs = new Map<string, number>();
  readonly #counters = new Map<string, number>();
  readonly #renewalsTolerated: number;
  readonly #memory = new Memory();
  readonly #wish = { wanted: () => !this.#stopping };
  #unheld: UnheldLeases = NO_UNHELD_LEASES;
  #firstPass = true;
  #atOnce = AT_ONCE;
  #lastFilledMs = Number.NEGATIVE_INFINITY;
  #stopping = false;
  /** Takes and requests without a response so far. */
  #underWay = 0;
  /** The wait for the next scan, and whether an early scan may be useful. */
  #rest: Event | undefined;
  #scansEarly = false;
  /** No scan before this time, whatever happens. */
  #nextScanMs = Number.NEGATIVE_INFINITY;

  constructor(parts: ServiceParts) {
    this.#parts = parts;
    this.#service = new Service(parts);
    this.#renewalsTolerated = TOLERATED_RENEWALS + Math.floor(parts.process.random.next() * 4);
    this.#housekeeping = new Housekeeping(this.#service, this.#wish, () => this.#memory.leases);
  }

  scan(): void {
    this.#scansEarly = false;
    this.#rest = undefined;
    this.#service.scan(this.#wish, (leases) => {
      if (this.#stopping) return;
      if (leases.length > 0) return this.#pass(leases);
      const { process } = this.#parts;
      const again = () => this.#scanIn(EMPTY_RESCAN_MS);
      this.#inform(() => undefined);
      const emptyMs = process.monotonicMs() - this.#lastFilledMs;
      if (emptyMs > this.#service.settings.failoverTimeMillis) this.#housekeeping.fill(again);
      else again();
    });
  }

  stop(atOnce: boolean): void {
    this.#stopping = true;
    if (atOnce) {
      for (const { tenure } of this.#held.values()) tenure.abandon();
      this.#parts.ended();
      return;
    }
    for (const { tenure } of this.#held.values()) tenure.requestStop();
    this.#endIfDone();
  }

  #pass(scanned: readonly Lease[]): void {
    const { process, workerId } = this.#parts;
    const { settings } = this.#service;
    const nowMs = process.monotonicMs();
    this.#lastFilledMs = nowMs;
    const leases = scanned.map((lease) => this.#latest(lease));
    const observation = observe(this.#memory, leases, nowMs);
    this.#memory.remember(observation);
    this.#inform((shardId) => observation.get(shardId)?.lease);
    this.#lookForDuplicate(leases);
    for (const [shardId, untilMs] of this.#expectedUntilMs) {
      if (untilMs <= nowMs) this.#expectedUntilMs.delete(shardId);
    }
    const view = {
      leases: observation,
      workerId,
      nowMs,
      firstPass: this.#firstPass,
      random: process.random.next,
      busy: new Set([...this.#held.keys(), ...this.#requests]),
      requested: this.#requests,
      expected: new Set(this.#expectedUntilMs.keys()),
      atOnce: this.#atOnce,
    };
    const { take, more } = this.#parts.scenario.led
      ? { take: accept(view, settings), more: false }
      : assign(view, settings);
    this.#firstPass = false;
    this.#atOnce = more ? this.#atOnce * 2 : AT_ONCE;
    const size = sizeOf(leases);
    let left = take.length + 1;
    const taken = () => {
      if (--left > 0) return;
      const pace = more ? startingRestMs : rescanMs;
      this.#nextScanMs = process.monotonicMs() + spacingMs(size, settings.failoverTimeMillis);
      this.#scanIn(pace(size, settings.failoverTimeMillis, process.random.next));
    };
    for (const each of take) {
      if (each.how === "stolen") {
        this.#ask(each.lease);
        taken();
      } else this.#take(each, taken);
    }
    taken();
  }

  #scanIn(ms: number): void {
    if (this.#stopping) {
      this.#endIfDone();
      return;
    }
    const { process } = this.#parts;
    const leastMs = this.#nextScanMs - process.monotonicMs();
    this.#rest = process.timer(Math.max(leastMs, this.#scansEarly ? 0 : ms), () => this.scan());
  }

  #ring(): void {
    this.#scansEarly = true;
    if (!this.#rest) return;
    this.#rest.run = undefined;
    this.#scanIn(0);
  }

  #latest(scanned: Lease): Lease {
    const tenure = this.#held.get(scanned.shardId)?.tenure;
    return tenure?.trusted && tenure.lease.counter > scanned.counter ? tenure.lease : scanned;
  }

  /** Passes the scan's information to the holders of leases. */
  #inform(byId: (shardId: string) => Lease | undefined): void {
    const { workerId } = this.#parts;
    for (const [shardId, { tenure, consumer }] of this.#held) {
      if (tenure.isReleasing) continue;
      const row = byId(shardId);
      const owner = row && actualOwner(row);
      const next = row && nextOwner(row);
      const isNewer = row && row.counter > tenure.lease.counter && owner !== undefined;
      const isWanted = next !== undefined && next !== workerId && owner === workerId;
      if (isNewer && owner !== workerId) tenure.lose(`${owner} took it`);
      else if (!row || isNewer || (isWanted && !tenure.isHandingOver)) tenure.look(() => {});
      if (!tenure.lease.parentShardIds.some((id) => blocksChildren(byId(id)))) consumer.ring();
    }
    for (const shardId of this.#counters.keys()) {
      if (!byId(shardId)) this.#counters.delete(shardId);
    }
  }

  #lookForDuplicate(leases: readonly Lease[]): void {
    const { workerId, invariants, process } = this.#parts;
    const ours = (shardId: string) => this.#counters.get(shardId) ?? 0;
    const held = new Set(this.#held.keys());
    this.#unheld = watchUnheldLeases(this.#unheld, leases, workerId, held, ours);
    for (const [shardId, { renewals }] of this.#unheld) {
      if (renewals > this.#renewalsTolerated) {
        invariants.violated(`${process.name} sees a duplicate worker at ${shardId}`);
      }
    }
  }

  #take({ lease, how }: Take, done: () => void): void {
    const { shardId } = lease;
    this.#underWay++;
    this.#counters.set(shardId, lease.counter + WRITES_TO_TAKE);
    this.#write(lease, WRITES_TO_TAKE, (taken, takenMs) => {
      this.#underWay--;
      if (taken) this.#hold(taken, takenMs, how);
      done();
    });
  }

  /** As in src/leases/holding/takeLease.ts. */
  #write(
    lease: Lease,
    attempts: number,
    done: (taken: Lease | undefined, takenMs: number) => void,
  ): void {
    const { workerId, process, table } = this.#parts;
    const { shardId } = lease;
    const takenMs = process.monotonicMs();
    const apply = this.#service.write(shardId, writes.take(lease, workerId));
    table.request(process, "take", apply, (answer) => {
      if ("value" in answer) {
        const { checkpointOwner: _, ...rest } = lease;
        const taken = { ...rest, owner: workerId, counter: lease.counter + 1 };
        return done(answer.value === "written" ? taken : undefined, takenMs);
      }
      if (answer.trouble !== "unavailable" || attempts === 1) return done(undefined, takenMs);
      this.#service.once("read", this.#service.read(shardId), (row) => {
        const isOurs = row && actualOwner(row) === workerId && row.counter === lease.counter + 1;
        if (isOurs) this.#write(row, attempts - 1, done);
        else done(undefined, takenMs);
      });
    });
  }

  #hold(lease: Lease, takenMs: number, how: Take["how"]): void {
    const { invariants, process, stream, count } = this.#parts;
    const { shardId, counter } = lease;
    const shard = stream.shards.get(shardId);
    if (!shard) {
      invariants.violated(`a lease of ${shardId}, which does not exist`);
      return;
    }
    count(`leaseTaken (${how})`, shardId);
    if (how === "stolen") invariants.violated(`${shardId} was stolen`);
    this.#expectedUntilMs.delete(shardId);
    const tenure = new PureTenure(lease, takenMs, this.#service, {
      interrupted: () => consumer.interrupt(),
      shardEnded: () => {
        for (const held of this.#held.values()) {
          if (held.tenure.lease.parentShardIds.includes(shardId)) held.consumer.ring();
        }
      },
      over: () => this.#released(tenure),
    });
    const holding = { shardId, process, how, counter, trusts: () => tenure.believes };
    const returned = () => {
      invariants.left(holding);
      tenure.release();
    };
    const consumer = new PureConsumer(tenure, shard, this.#service, () => this.#ring(), returned);
    this.#held.set(shardId, { tenure, consumer });
    invariants.held(holding);
    if (this.#stopping) tenure.stopRequested = true;
    tenure.keep();
    consumer.waitForParents();
  }

  #released({ shardId, lease }: PureTenure): void {
    this.#counters.set(shardId, lease.counter + 1);
    this.#held.delete(shardId);
    this.#ring();
    this.#endIfDone();
  }

  /** Requests the lease of a live worker, and takes it once it is offered. */
  #ask(asked: Lease): void {
    const { shardId } = asked;
    const { failoverTimeMillis, gracefulLeaseHandoffTimeoutMillis } = this.#service.settings;
    const lastsMs = gracefulLeaseHandoffTimeoutMillis + 2 * failoverTimeMillis;
    this.#underWay++;
    this.#requests.add(shardId);
    this.#expectedUntilMs.set(shardId, this.#parts.process.monotonicMs() + lastsMs);
    const end = () => {
      this.#underWay--;
      this.#requests.delete(shardId);
      this.#endIfDone();
    };
    ask(asked, this.#service, this.#wish.wanted, (given) => {
      if (given && !this.#held.has(shardId)) this.#take(given, end);
      else end();
    });
  }

  #endIfDone(): void {
    if (!this.#stopping || this.#held.size > 0 || this.#underWay > 0) return;
    if (!this.#parts.process.dead) this.#parts.ended();
  }
}
