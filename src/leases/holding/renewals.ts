// When the lease of one tenure is renewed: an interval after the last write of any kind, because a
// checkpoint renews the lease too, and at once when another worker waits for an acknowledgement.

import { WakeUp } from "../../wakeUp.ts";
import { Throughput } from "../decisions/throughput.ts";
import { renewalIntervalMs } from "../decisions/trust.ts";
import type { Surroundings } from "../surroundings.ts";
import { acknowledged, awaitsAcknowledgement } from "./handover.ts";
import type { HeldRow, RowWrite } from "./heldRow.ts";

export interface RenewalsParts {
  readonly row: HeldRow;
  /** Makes the write, with retries until the signal is aborted; `undefined` when it was. */
  readonly write: (
    change: RowWrite,
    signal: AbortSignal,
  ) => Promise<"written" | "lost" | undefined>;
  /** Whether renewals store the throughput of the shard. */
  readonly reportsThroughput: () => boolean;
}

export class Renewals {
  readonly #surroundings: Surroundings;
  readonly #parts: RenewalsParts;
  readonly #renewNow = new WakeUp();
  readonly #throughput = new Throughput();

  constructor(surroundings: Surroundings, parts: RenewalsParts) {
    this.#surroundings = surroundings;
    this.#parts = parts;
  }

  delivered(bytes: number): void {
    this.#throughput.add(bytes);
  }

  /** Another worker waits for an acknowledgement, which the next renewal writes. */
  acknowledgeNow(): void {
    this.#renewNow.trigger();
  }

  /** Renews until the signal is aborted. */
  async run(ended: AbortSignal): Promise<void> {
    const { clock, emit, table, settings, random } = this.#surroundings;
    const { row, write } = this.#parts;
    const intervalMs = renewalIntervalMs(settings.failoverTimeMillis);
    // The random first interval spreads the renewals of leases that were taken together: a DynamoDB
    // partition accepts 1,000 writes a second.
    let dueMs = intervalMs * random();
    const renewal: RowWrite = {
      write: (lease, signal) => table.renew(lease, signal, this.#throughputKBps()),
      after: acknowledged,
    };
    while (!ended.aborted) {
      const waitMs = row.writtenMs + dueMs - clock.monotonicMs();
      if (waitMs > 0 && !awaitsAcknowledgement(row.lease)) {
        await this.#renewNow.sleep(clock, waitMs, ended);
        this.#renewNow.clear();
        continue;
      }
      const result = await write(renewal, ended);
      dueMs = intervalMs;
      if (result === "written") emit({ type: "leaseRenewed", shardId: row.lease.shardId });
    }
  }

  #throughputKBps(): number | undefined {
    if (!this.#parts.reportsThroughput()) return undefined;
    return this.#throughput.average(this.#surroundings.clock.monotonicMs());
  }
}
