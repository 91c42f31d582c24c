// A sink for a service that takes a few items per call, and may reject some items of a call while
// it stores the others.

import { limited, type TimeLimit } from "../aws/limited.ts";
import { counted } from "../plural.ts";
import type { Format, Sink } from "./sink.ts";

export interface Entry<T> {
  readonly item: T;
  readonly text: string;
  readonly bytes: number;
}

/** An item that the service did not store. */
export interface Rejection<T> {
  readonly entry: Entry<T>;
  readonly code: string;
  readonly message: string;
}

/** Makes one call. @returns the items that the service rejected. */
export type Call<T> = (
  entries: readonly Entry<T>[],
  signal: AbortSignal,
) => Promise<readonly Rejection<T>[]>;

/** What one call may hold. */
export interface BatchLimits {
  readonly maxItemBytes: number;
  readonly maxBytes: number;
  readonly maxEntries: number;
}

export interface BatchSinkParts<T> {
  readonly format: Format<T>;
  readonly limits: BatchLimits;
  readonly timeLimit: TimeLimit;
  readonly call: Call<T>;
  readonly close: () => void;
}

/**
 * Remembers which items are stored. When the caller sends the same items again after a failure, the
 * sink sends only those that are not stored yet.
 */
export class BatchSink<T extends object> implements Sink<T> {
  readonly #parts: BatchSinkParts<T>;
  readonly #stored = new WeakSet<T>();
  /**
   * Items that are within the service's limits, but that the service rejected because of their
   * size: the owner of the queue or topic has set a lower limit.
   */
  readonly #tooLong = new WeakSet<T>();

  constructor(parts: BatchSinkParts<T>) {
    this.#parts = parts;
  }

  /** @throws Error that names the first rejection. */
  async send(items: readonly T[], signal: AbortSignal): Promise<void> {
    const { format, limits, timeLimit, call } = this.#parts;
    const entries = items
      .filter((item) => !this.#stored.has(item))
      .map((item) => this.#entry(item));
    const rejections: Rejection<T>[] = [];
    for (const some of packed(entries, limits)) {
      signal.throwIfAborted();
      const operation = `the request to store ${format.noun}s`;
      const rejected = await limited(timeLimit, operation, signal, (abort) => call(some, abort));
      const unsafe = new Set(rejected.map(({ entry }) => entry));
      for (const entry of some) if (!unsafe.has(entry)) this.#stored.add(entry.item);
      rejections.push(...rejected);
    }
    const [first] = rejections;
    if (!first) return;
    const shortenable = rejections.filter(isTooLong).map(({ entry }) => entry.item);
    const toShorten = shortenable.filter((item) => !this.#tooLong.has(item));
    for (const item of toShorten) this.#tooLong.add(item);
    if (toShorten.length === rejections.length) return this.send(items, signal);
    throw new Error(
      `The service rejected ${rejections.length} of ${counted(items.length, format.noun)}: ${first.code}: ${first.message}`,
    );
  }

  close(): void {
    this.#parts.close();
  }

  #entry(item: T): Entry<T> {
    const { format, limits } = this.#parts;
    const whole = this.#tooLong.has(item) ? undefined : format.text(item);
    const fits = whole !== undefined && Buffer.byteLength(whole) <= limits.maxItemBytes;
    const text = fits ? whole : format.shortText(item, limits.maxItemBytes);
    return { item, text, bytes: Buffer.byteLength(text) };
  }
}

/** Splits entries into calls that the service accepts, in order. */
function packed<T>(
  entries: readonly Entry<T>[],
  { maxEntries, maxBytes }: BatchLimits,
): readonly (readonly Entry<T>[])[] {
  const calls: Entry<T>[][] = [];
  let last: Entry<T>[] = [];
  let bytes = 0;
  for (const entry of entries) {
    if (calls.length === 0 || last.length === maxEntries || bytes + entry.bytes > maxBytes) {
      last = [];
      bytes = 0;
      calls.push(last);
    }
    last.push(entry);
    bytes += entry.bytes;
  }
  return calls;
}

function isTooLong({ code, message }: Rejection<unknown>): boolean {
  return (
    /^(InvalidParameter(Value)?|ValidationException|.*TooLong)$/.test(code) && SIZE.test(message)
  );
}

const SIZE = /too long|shorter|length|size/i;
