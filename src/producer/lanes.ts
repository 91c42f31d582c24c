// The lanes of one stream: one for each open shard, and one for the records that come before the
// first shard map, which travel alone. When the shards change, everything that waits moves to the
// lanes of the new shards.

import type { Clock } from "../clock.ts";
import { hashWords, wordsOfHashKey } from "../records/kpl/hashKey.ts";
import type { ContainerLimits } from "./container.ts";
import { IdentitiesInFlight, Lane, type LaneOptions } from "./lane.ts";
import { ShardLimiter } from "./limiter.ts";
import { type Envelope, type Pending, payloadOf } from "./record.ts";
import { remake } from "./remake.ts";
import type { ProducerSettings } from "./settings.ts";
import type { ShardMap } from "./shardMap.ts";

/** Part of the time that a record may be buffered in which an envelope waits for its call. */
const COLLECT_SHARE = 0.2;
const COLLECT_MAX_MS = 50;
/** Without a shard map, records go alone. */
const ALONE: ContainerLimits = { maxBytes: 0, maxCount: 1 };

const words = new Uint32Array(4);

export interface LanesParts {
  readonly settings: ProducerSettings;
  readonly clock: Clock;
  readonly random: () => number;
}

export class Lanes {
  readonly inFlight: IdentitiesInFlight;
  readonly #parts: LanesParts;
  readonly #fillMs: number;
  readonly #collectMs: number;
  #map: ShardMap | undefined;
  #lanes: readonly Lane[];
  readonly #byShard = new Map<string | undefined, Lane>();
  #maxBytes: number;
  #order = 0;

  constructor(parts: LanesParts) {
    this.#parts = parts;
    const { recordMaxBufferedTime, ordering, aggregationMaxSize } = parts.settings;
    this.#collectMs = Math.min(COLLECT_MAX_MS, recordMaxBufferedTime * COLLECT_SHARE);
    this.#fillMs = recordMaxBufferedTime - this.#collectMs;
    this.#maxBytes = aggregationMaxSize;
    this.inFlight = new IdentitiesInFlight(ordering === "key");
    const unmapped = this.#lane(undefined);
    this.#lanes = [unmapped];
    this.#byShard.set(undefined, unmapped);
  }

  get all(): readonly Lane[] {
    return this.#lanes;
  }

  /** The largest record that the stream accepts. */
  limitEnvelopes(maxRecordBytes: number): void {
    // Its partition key counts too.
    this.#maxBytes = Math.min(this.#parts.settings.aggregationMaxSize, maxRecordBytes - 1);
  }

  /** @returns whether the time to look again has changed. */
  add(record: Pending, data: Uint8Array): boolean {
    const lane = this.#laneOf(record);
    return lane.add(record, data, this.#parts.clock.monotonicMs());
  }

  laneOfShard(shardId: string | undefined): Lane | undefined {
    return this.#byShard.get(shardId);
  }

  /** Puts an envelope that is not stored back, before all later ones with its identities. */
  putBack(envelope: Envelope): void {
    const lane = this.#byShard.get(envelope.shardId);
    if (lane) lane.putBack(envelope);
    else this.remakeAll([envelope]);
  }

  /** Distributes the records of envelopes that cannot go as they are. */
  remakeAll(envelopes: readonly Envelope[], limits: ContainerLimits = this.#limits()): void {
    for (const envelope of envelopes) {
      // The last first: each goes before the others of its order.
      for (const piece of this.#pieces(envelope, limits).reverse()) {
        this.#byShard.get(piece.shardId)?.putBack(piece);
      }
    }
  }

  /**
   * Uses a new shard map. The lanes of shards that are still there stay as they are.
   *
   * @param collected envelopes of the call in the making, which wait too.
   * @returns whether the open shards are others than before.
   */
  use(map: ShardMap, collected: readonly Envelope[]): boolean {
    const before = this.#map;
    this.#map = map;
    if (before && map.isSameAs(before)) {
      for (const envelope of collected) this.putBack(envelope);
      return false;
    }
    const gone = this.#lanes.filter(
      ({ shardId }) => shardId === undefined || !before || !map.keeps(shardId, before),
    );
    for (const { shardId } of gone) this.#byShard.delete(shardId);
    const stays = ({ shardId }: Envelope) => this.#byShard.has(shardId);
    for (const envelope of collected.filter(stays)) this.putBack(envelope);
    // What was collected comes before the waiting envelopes of the same order.
    const moving = [
      ...collected.filter((envelope) => !stays(envelope)),
      ...gone.flatMap((lane) => lane.drain()),
    ].sort((a, b) => a.order - b.order);
    this.#lanes = map.shardIds.map((shardId) => this.#byShard.get(shardId) ?? this.#lane(shardId));
    for (const lane of this.#lanes) this.#byShard.set(lane.shardId, lane);
    for (const envelope of moving) this.#move(envelope);
    return true;
  }

  /** Removes everything that waits. */
  drain(): Envelope[] {
    return this.#lanes.flatMap((lane) => lane.drain());
  }

  /** Records that were never sent meet others. What was sent keeps its bytes if it can. */
  #move(envelope: Envelope): void {
    if (envelope.attempts.length === 0) {
      for (const record of envelope.records) {
        const data = Buffer.from(payloadOf(envelope, record));
        this.#laneOf(record).add(record, data, record.arrivedMs);
      }
    } else {
      const shardId = this.#shardOfAll(envelope);
      const pieces = shardId === undefined ? this.#pieces(envelope) : [{ ...envelope, shardId }];
      for (const piece of pieces) this.#byShard.get(piece.shardId)?.append(piece);
    }
  }

  #pieces(envelope: Envelope, limits = this.#limits()): Envelope[] {
    return remake(envelope, limits, (record) => this.#laneOf(record).shardId);
  }

  #shardOfAll({ records }: Envelope): string | undefined {
    const shards = new Set(records.map((record) => this.#laneOf(record).shardId));
    const [only] = shards;
    return shards.size === 1 ? only : undefined;
  }

  #laneOf({ partitionKey, explicitHashKey }: Pending): Lane {
    const [first] = this.#lanes;
    if (first === undefined) throw new Error("A stream has at least one lane.");
    if (!this.#map || this.#lanes.length === 1) return first;
    if (explicitHashKey === undefined) hashWords(partitionKey, words);
    else wordsOfHashKey(BigInt(explicitHashKey), words);
    return this.#lanes[this.#map.indexOf(words)] ?? first;
  }

  #limits(): ContainerLimits {
    const { aggregationEnabled, aggregationMaxCount } = this.#parts.settings;
    if (!aggregationEnabled || !this.#map) return ALONE;
    return { maxBytes: this.#maxBytes, maxCount: aggregationMaxCount };
  }

  #lane(shardId: string | undefined): Lane {
    const { settings, clock, random } = this.#parts;
    const ceiling = settings.rateLimit / 100;
    const limiter = new ShardLimiter({ ceiling, random }, clock.monotonicMs());
    const options: LaneOptions = {
      limits: () => this.#limits(),
      fillMs: shardId === undefined ? 0 : this.#fillMs,
      holdMs: shardId === undefined ? settings.recordMaxBufferedTime : 0,
      collectMs: this.#collectMs,
      nextOrder: () => this.#order++,
      inFlight: this.inFlight,
    };
    return new Lane(shardId, limiter, options);
  }
}
