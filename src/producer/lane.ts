// The records that wait for one shard: an open container, and the envelopes before it, in order. It
// decides which envelope may be sent when. With order, the head waits until no record with one of
// its identities is in flight, so that a failed envelope comes before all later ones of its keys.

import { Container, type ContainerLimits } from "./container.ts";
import type { ShardLimiter } from "./limiter.ts";
import type { Envelope, Pending } from "./record.ts";

export interface LaneOptions {
  readonly limits: () => ContainerLimits;
  /** How long a record waits in the container for others. */
  readonly fillMs: number;
  /** How long a record is held back at least: the shard map may come, and it can be aggregated. */
  readonly holdMs: number;
  /** How long a closed envelope waits for other envelopes of the call. */
  readonly collectMs: number;
  readonly nextOrder: () => number;
  /** Of all lanes of the stream: a key moves to another lane when the shard map changes. */
  readonly inFlight: IdentitiesInFlight;
}

/** The identities of the records in flight. Without order nothing is in the way of anything. */
export class IdentitiesInFlight {
  readonly #isOrdered: boolean;
  readonly #identities = new Set<string>();

  constructor(isOrdered: boolean) {
    this.#isOrdered = isOrdered;
  }

  has({ identities }: Envelope): boolean {
    if (this.#identities.size === 0) return false;
    for (const identity of identities.keys()) if (this.#identities.has(identity)) return true;
    return false;
  }

  add({ identities }: Envelope): void {
    if (!this.#isOrdered) return;
    for (const identity of identities.keys()) this.#identities.add(identity);
  }

  remove({ identities }: Envelope): void {
    if (!this.#isOrdered) return;
    for (const identity of identities.keys()) this.#identities.delete(identity);
  }
}

export class Lane {
  /** Absent: the lane of the records that came before the first shard map. */
  readonly shardId: string | undefined;
  readonly limiter: ShardLimiter;
  readonly #options: LaneOptions;
  #open: Container | undefined;
  /** In their order. */
  #waiting: Envelope[] = [];

  constructor(shardId: string | undefined, limiter: ShardLimiter, options: LaneOptions) {
    this.shardId = shardId;
    this.limiter = limiter;
    this.#options = options;
  }

  /** @returns whether a container was begun: the time to look again has changed. */
  add(record: Pending, data: Uint8Array, nowMs: number): boolean {
    const open = this.#open;
    if (open?.add(record, data)) return false;
    if (open) this.#close(open, nowMs + this.#options.collectMs);
    const next = new Container(this.#options.limits(), nowMs);
    next.add(record, data);
    this.#open = next;
    return true;
  }

  /** Closes the container, whatever its size: it is sent as soon as the lane may send. */
  flush(nowMs: number): void {
    for (const envelope of this.#waiting) envelope.collectByMs = nowMs;
    if (this.#open) this.#close(this.#open, nowMs);
  }

  /**
   * Puts an envelope that is not stored back to its place. An envelope that was taken apart leaves
   * several of the same order: those that still wait come after the one that was in flight.
   */
  putBack(envelope: Envelope): void {
    const at = this.#waiting.findIndex(({ order }) => order >= envelope.order);
    this.#waiting.splice(at < 0 ? this.#waiting.length : at, 0, envelope);
  }

  /** Puts an envelope of a lane that is gone behind everything that waits. */
  append(envelope: Envelope): void {
    if (this.#open) this.#close(this.#open, envelope.collectByMs);
    this.#waiting.push({ ...envelope, order: this.#options.nextOrder() });
  }

  /** The next envelope, if one may be sent now. It counts as in flight from now on. */
  take(nowMs: number): Envelope | undefined {
    this.#closeIfDue(nowMs);
    const [head] = this.#waiting;
    const { inFlight } = this.#options;
    if (head === undefined || this.#mayGoMs(head, nowMs) > nowMs || inFlight.has(head)) {
      return undefined;
    }
    this.#waiting.shift();
    inFlight.add(head);
    this.limiter.sent(head.bytes);
    return head;
  }

  /** When to look again; infinite if only a response, or another record, changes anything. */
  nextMs(nowMs: number): number {
    const [head] = this.#waiting;
    if (head !== undefined) {
      const atMs = this.#mayGoMs(head, nowMs);
      return atMs > nowMs ? atMs : Number.POSITIVE_INFINITY;
    }
    return this.#open ? this.#dueMs(this.#open, nowMs) : Number.POSITIVE_INFINITY;
  }

  /**
   * Removes the envelopes with records that came before `arrivedMs`. The container is closed if its
   * first record did.
   */
  expired(arrivedMs: number): readonly Envelope[] {
    if (this.#open && this.#open.sinceMs < arrivedMs) this.#close(this.#open, this.#open.sinceMs);
    const isOld = ({ records }: Envelope) => records.some((record) => record.arrivedMs < arrivedMs);
    const old = this.#waiting.filter(isOld);
    if (old.length > 0) this.#waiting = this.#waiting.filter((envelope) => !isOld(envelope));
    return old;
  }

  /** Removes everything that waits, in order. */
  drain(): Envelope[] {
    if (this.#open) this.#close(this.#open, 0);
    const drained = this.#waiting;
    this.#waiting = [];
    return drained;
  }

  /** When the oldest record that waits came. */
  get oldestMs(): number {
    const openMs = this.#open?.sinceMs ?? Number.POSITIVE_INFINITY;
    const times = this.#waiting.map(({ records }) => records[0]?.arrivedMs ?? openMs);
    return Math.min(openMs, ...times);
  }

  /** While the lane cannot send, the container fills up: fewer, larger envelopes follow. */
  #closeIfDue(nowMs: number): void {
    const open = this.#open;
    if (open === undefined || this.#waiting.length > 0 || this.#dueMs(open, nowMs) > nowMs) return;
    this.#close(open, nowMs + this.#options.collectMs);
  }

  #mayGoMs({ records: [first] }: Envelope, nowMs: number): number {
    const heldUntilMs = (first?.arrivedMs ?? 0) + this.#options.holdMs;
    return Math.max(heldUntilMs, nowMs + this.limiter.waitMs(nowMs));
  }

  #dueMs(open: Container, nowMs: number): number {
    return Math.max(open.sinceMs + this.#options.fillMs, nowMs + this.limiter.waitMs(nowMs));
  }

  #close(open: Container, collectByMs: number): void {
    const order = this.#options.nextOrder();
    this.#waiting.push(open.close({ order, shardId: this.shardId, collectByMs }));
    this.#open = undefined;
  }
}
