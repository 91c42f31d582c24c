// The row of a held lease, as in src/leases/holding/heldRow.ts: one writer at a time, and after a
// conflict the row is read.

import { renewalIntervalMs } from "../../../src/leases/decisions/trust.ts";
import { type Conflict, explain } from "../../../src/leases/holding/conflict.ts";
import type { Lease } from "../../../src/leases/lease.ts";
import type { RowWrite } from "../rowWrites.ts";
import type { Event } from "../schedule.ts";
import type { Service } from "./service.ts";

export type RowLost = Exclude<Conflict, { why: "ours" }>;

export interface HeldWrite {
  readonly write: (lease: Lease) => RowWrite;
  readonly after: (lease: Lease) => Lease;
}

const WRITE_ATTEMPTS = 3;

export class PureRow {
  lease: Lease;
  /** Monotonic time at which the last successful write began. */
  writtenMs: number;
  /** The row after a write whose response never arrived, if the write took effect. */
  #unconfirmed: Lease | undefined;
  #busy = false;
  #inFlight: { readonly answer: Event; readonly fail: () => void } | undefined;
  readonly #line: (() => void)[] = [];
  readonly #service: Service;

  constructor(lease: Lease, takenMs: number, service: Service) {
    this.lease = lease;
    this.writtenMs = takenMs;
    this.#service = service;
  }

  /** Gives `work` exclusive use of the row until it calls back. */
  inLine(work: (done: () => void) => void): void {
    this.#line.push(() => work(() => this.#next()));
    if (!this.#busy) this.#next();
  }

  #next(): void {
    const work = this.#line.shift();
    this.#busy = work !== undefined;
    work?.();
  }

  /** Drops all pending responses. */
  abort(): void {
    const flight = this.#inFlight;
    if (!flight) return;
    flight.answer.run = undefined;
    this.#inFlight = undefined;
    this.#service.parts.process.after(0, flight.fail);
  }

  /** Requires the exclusive use. `"trouble"`: the write may or may not have taken effect. */
  write(
    asked: HeldWrite,
    done: (result: "written" | "trouble" | RowLost) => void,
    attempts = WRITE_ATTEMPTS,
  ): void {
    const { table, process } = this.#service.parts;
    const startMs = process.monotonicMs();
    const write = asked.write(this.lease);
    const next = asked.after({ ...this.lease, counter: this.lease.counter + 1 });
    const apply = this.#service.write(this.lease.shardId, write);
    const answer = table.request(
      process,
      write.operation,
      apply,
      (answer) => {
        this.#inFlight = undefined;
        if ("trouble" in answer) {
          if (answer.trouble === "unavailable") this.#unconfirmed = next;
          return done("trouble");
        }
        if (answer.value === "written") {
          this.lease = next;
          this.#unconfirmed = undefined;
          this.writtenMs = startMs;
          return done("written");
        }
        this.look((found) => {
          if (found === "trouble" || found.why !== "ours") return done(found);
          if (attempts > 1) this.write(asked, done, attempts - 1);
          else done("trouble");
        });
      },
      renewalIntervalMs(this.#service.settings.failoverTimeMillis),
    );
    this.#inFlight = { answer, fail: () => done("trouble") };
  }

  /** Requires the exclusive use. */
  look(done: (found: "trouble" | Conflict) => void): void {
    const { process, table, workerId } = this.#service.parts;
    const apply = this.#service.read(this.lease.shardId);
    const answer = table.request(process, "read", apply, (answer) => {
      this.#inFlight = undefined;
      if ("trouble" in answer) return done("trouble");
      const conflict = explain(this.lease, this.#unconfirmed, answer.value, workerId);
      if (conflict.why === "ours") {
        if (conflict.lease.counter > this.lease.counter) this.#unconfirmed = undefined;
        this.lease = conflict.lease;
      }
      done(conflict);
    });
    this.#inFlight = { answer, fail: () => done("trouble") };
  }
}
