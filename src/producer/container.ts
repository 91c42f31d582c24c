// An envelope in the making: the records of one shard that wait for others. It becomes an envelope
// when it is full or its time has come. A record that travels alone is sent bare.

import { EnvelopeWriter } from "../records/kpl/envelope.ts";
import { hashKeyOf, hashWords } from "../records/kpl/hashKey.ts";
import { type Envelope, type Identities, identityOf, type Pending } from "./record.ts";

/** The partition key of an envelope, as in the original. Its hash key selects the shard. */
const ENVELOPE_KEY = "a";

export interface ContainerLimits {
  readonly maxBytes: number;
  readonly maxCount: number;
}

export interface Closing {
  readonly order: number;
  readonly shardId: string | undefined;
  readonly collectByMs: number;
}

const words = new Uint32Array(4);

export class Container {
  readonly #limits: ContainerLimits;
  readonly #writer = new EnvelopeWriter();
  readonly #records: Pending[] = [];
  #hasExplicitHashKey = false;
  /** When the first record came, on the monotonic clock. */
  readonly sinceMs: number;

  constructor(limits: ContainerLimits, sinceMs: number) {
    this.#limits = limits;
    this.sinceMs = sinceMs;
  }

  get records(): readonly Pending[] {
    return this.#records;
  }

  /** @returns false if there is no room: close this container, and add the record to the next. */
  add(record: Pending, data: Uint8Array): boolean {
    if (this.#records.length >= this.#limits.maxCount) return false;
    const { partitionKey, explicitHashKey } = record;
    const start = this.#writer.add(partitionKey, explicitHashKey, data, this.#limits.maxBytes);
    if (start < 0) return false;
    record.start = start;
    this.#hasExplicitHashKey ||= explicitHashKey !== undefined;
    this.#records.push(record);
    return true;
  }

  payload({ start, length }: Pending): Buffer {
    return this.#writer.payload(start, length);
  }

  /** The container has at least one record, and must not be used any more. */
  close(closing: Closing): Envelope {
    const [first] = this.#records;
    if (first === undefined) throw new Error("An empty container cannot be closed.");
    const isBare = this.#records.length === 1;
    const { bytes: data, recordsAt } = isBare
      ? { bytes: this.payload(first), recordsAt: -first.start }
      : this.#writer.finish();
    const partitionKey = isBare ? first.partitionKey : ENVELOPE_KEY;
    return {
      ...closing,
      data,
      partitionKey,
      hashKey: hashKeyTextOf(first),
      records: this.#records,
      recordsAt,
      identities: this.#identities(),
      bytes: data.length + Buffer.byteLength(partitionKey),
      attempts: [],
    };
  }

  #identities(): Identities {
    if (!this.#hasExplicitHashKey) return this.#writer.partitionKeys;
    return new Set(this.#records.map(identityOf));
  }
}

function hashKeyTextOf({ partitionKey, explicitHashKey }: Pending): string {
  if (explicitHashKey !== undefined) return explicitHashKey;
  hashWords(partitionKey, words);
  return hashKeyOf(words).toString();
}
