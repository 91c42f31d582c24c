// The producer of one stream. Records wait in lanes, one for each shard. A call takes from all
// lanes what may be sent. Its response settles records or puts envelopes back. One loop looks at
// what is due, and sleeps until the next thing is.
//
// Three rules that everything here serves:
//   1. A record is settled once, and only when all records of its envelope are stored for a
//      consumer: a KCL drops an envelope if one of its records belongs to another shard.
//   2. An envelope that is refused is sent again with the same bytes, before all later ones with
//      its keys.
//   3. Nothing is given up because of time, except by `recordTtl`.

import { WakeUp } from "../wakeUp.ts";
import { Collector } from "./collector.ts";
import { Lanes } from "./lanes.ts";
import { MapKeeper } from "./mapKeeper.ts";
import type { StreamProducerParts } from "./parts.ts";
import { type Envelope, NOT_STORED, type Pending } from "./record.ts";
import { Responses } from "./responses.ts";
import type { ShardMap } from "./shardMap.ts";
import { DEFAULT_MAX_RECORD_BYTES } from "./streamCalls.ts";

export class StreamProducer {
  readonly #parts: StreamProducerParts;
  readonly #lanes: Lanes;
  readonly #keeper: MapKeeper;
  readonly #collector: Collector;
  readonly #responses: Responses;
  readonly #wake = new WakeUp();
  readonly #calls = new Set<Promise<void>>();
  /** The envelopes of each call that has no response, and of those that follow a halved call. */
  readonly #unanswered = new Set<readonly Envelope[]>();
  #isAbandoned = false;
  #maxRecordBytes = DEFAULT_MAX_RECORD_BYTES;
  /** The lane to look at first; the others follow, so that none is always last. */
  #turn = 0;

  constructor(parts: StreamProducerParts) {
    this.#parts = parts;
    const { settings, calls, clock, emit, streamName, random } = parts;
    this.#lanes = new Lanes({ settings, clock, random });
    this.#collector = new Collector({
      maxCount: settings.collectionMaxCount,
      maxBytes: settings.collectionMaxSize,
    });
    this.#keeper = new MapKeeper({
      calls,
      clock,
      onLoaded: (map, askedMs) => this.#useMap(map, askedMs),
      onMaxRecordBytes: (bytes) => {
        this.#maxRecordBytes = bytes;
        this.#lanes.limitEnvelopes(bytes);
      },
      onFailure: ({ error, retryInMs }) =>
        emit({ type: "shardMapFailed", streamName, error, retryInMs }),
    });
    this.#responses = new Responses(parts, this.#lanes, this.#keeper);
  }

  /** Data and partition key of the largest record, as far as known. */
  get maxRecordBytes(): number {
    return this.#maxRecordBytes;
  }

  /** Takes a valid record. Copies its payload. */
  add(record: Pending, data: Uint8Array): void {
    if (this.#lanes.add(record, data)) this.#wake.trigger();
  }

  /** Sends everything that waits, without waiting for more. */
  flush(): void {
    const nowMs = this.#parts.clock.monotonicMs();
    for (const lane of this.#lanes.all) lane.flush(nowMs);
    this.#wake.trigger();
  }

  /** Returns when the signal is aborted and the calls in flight have ended. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts;
    const keeping = this.#keeper.run(signal);
    while (!signal.aborted) {
      this.#wake.clear();
      const nextMs = this.#look(clock.monotonicMs());
      const restMs = Math.min(Math.max(0, nextMs - clock.monotonicMs()), LONGEST_SLEEP_MS);
      await this.#wake.sleep(clock, restMs, signal);
    }
    await keeping;
    await Promise.all(this.#calls);
  }

  /**
   * Fails everything that has no outcome. Responses that come later have no effect.
   *
   * @returns the number of records.
   */
  abandon(message: string): number {
    this.#isAbandoned = true;
    const inFlight = [...this.#unanswered].flat();
    const waiting = [...this.#lanes.drain(), ...this.#withdraw(), ...this.#responses.drain()];
    const envelopes = [...inFlight, ...waiting];
    for (const envelope of envelopes) {
      this.#responses.fail(envelope, { errorCode: NOT_STORED, errorMessage: message });
    }
    return envelopes.reduce((sum, { records }) => sum + records.length, 0);
  }

  /** Does what is due. @returns when to look again. */
  #look(nowMs: number): number {
    this.#expire(nowMs);
    if (nowMs < this.#responses.pausedUntilMs) return this.#responses.pausedUntilMs;
    const { all } = this.#lanes;
    this.#turn += 1;
    for (let i = 0; i < all.length; i += 1) {
      const lane = all[(this.#turn + i) % all.length];
      while (lane && this.#hasFreeCall) {
        const envelope = lane.take(nowMs);
        if (!envelope) break;
        if (!this.#collector.hasRoomFor(envelope)) this.#send();
        this.#collector.add(envelope);
      }
    }
    if (this.#collector.dueMs <= nowMs) this.#send();
    if (!this.#hasFreeCall) return Number.POSITIVE_INFINITY;
    return all.reduce(
      (next, lane) => Math.min(next, lane.nextMs(nowMs)),
      Math.min(this.#collector.dueMs, this.#nextExpiryMs()),
    );
  }

  get #hasFreeCall(): boolean {
    return this.#calls.size < this.#parts.settings.maxConnections;
  }

  #send(): void {
    const envelopes = this.#collector.take();
    this.#unanswered.add(envelopes);
    const call = this.#call(envelopes).finally(() => {
      this.#calls.delete(call);
      this.#wake.trigger();
    });
    this.#calls.add(call);
  }

  async #call(envelopes: readonly Envelope[]): Promise<void> {
    const { calls, clock } = this.#parts;
    const startedMs = clock.monotonicMs();
    const outcome = await calls.put(envelopes).catch((error: unknown) => ({ error }));
    if (this.#isAbandoned) return;
    this.#unanswered.delete(envelopes);
    const times = { startedMs, endedMs: clock.monotonicMs() };
    if (!("error" in outcome)) {
      this.#responses.answered(envelopes, outcome, times);
      return;
    }
    const halves = this.#responses.failed(envelopes, outcome.error, times);
    for (const half of halves) this.#unanswered.add(half);
    for (const half of halves) {
      if (!this.#isAbandoned) await this.#call(half);
    }
  }

  #useMap(map: ShardMap, askedMs: number): void {
    const { emit, streamName } = this.#parts;
    if (this.#lanes.use(map, this.#withdraw())) {
      emit({ type: "shardMapLoaded", streamName, shards: map.shardIds.length });
    }
    this.#responses.mapLoaded(map, askedMs);
    this.#wake.trigger();
  }

  /** Takes back the call in the making. */
  #withdraw(): readonly Envelope[] {
    const envelopes = this.#collector.take();
    for (const envelope of envelopes) this.#lanes.inFlight.remove(envelope);
    return envelopes;
  }

  #expire(nowMs: number): void {
    const { recordTtl } = this.#parts.settings;
    if (recordTtl === undefined || nowMs < this.#nextExpiryMs()) return;
    const arrivedMs = nowMs - recordTtl;
    for (const lane of this.#lanes.all) {
      for (const envelope of lane.expired(arrivedMs)) {
        this.#responses.expired(envelope, arrivedMs, nowMs);
      }
    }
  }

  #nextExpiryMs(): number {
    const { recordTtl } = this.#parts.settings;
    if (recordTtl === undefined) return Number.POSITIVE_INFINITY;
    const oldest = this.#lanes.all.map((lane) => lane.oldestMs);
    return Math.min(...oldest) + recordTtl + 1;
  }
}

/** Node's timers end at 2^31 ms. */
const LONGEST_SLEEP_MS = 60_000;
