// How much the producer holds: the bytes of the records without an outcome, with a limit, and
// whoever waits for room or for outcomes. The overhead of a record counts too, so that a million
// tiny records do not take a multiple of the limit.

/** The memory of a pending record beside its payload and key, roughly. */
const OVERHEAD_BYTES = 1_024;

interface Waiting {
  readonly bytes: number;
  readonly enter: () => void;
}

/** The records that were taken between two flushes. */
interface Epoch {
  outstanding: number;
}

export class Budget {
  readonly #limitBytes: number;
  #heldBytes = 0;
  #outstanding = 0;
  readonly #waiting: Waiting[] = [];
  /** The oldest first. All but the last have a flush that waits for them. */
  #epochs: Epoch[] = [{ outstanding: 0 }];
  readonly #flushes: { readonly epoch: Epoch; readonly done: () => void }[] = [];

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Records without an outcome. */
  get outstanding(): number {
    return this.#outstanding;
  }

  /** Takes room if there is any. A record above the limit gets it when nothing else is held. */
  tryEnter(bytes: number): boolean {
    if (this.#waiting.length > 0 || !this.#fits(bytes + OVERHEAD_BYTES)) return false;
    this.#heldBytes += bytes + OVERHEAD_BYTES;
    return true;
  }

  /** Resolves when there is room, in the order of the calls. The room is then taken. */
  async enter(bytes: number): Promise<void> {
    if (this.tryEnter(bytes)) return;
    await new Promise<void>((enter) => this.#waiting.push({ bytes, enter }));
  }

  /** Counts a record that has room. @returns what to call when the record has its outcome. */
  begin(bytes: number): () => void {
    const epoch = this.#epochs.at(-1) ?? { outstanding: 0 };
    epoch.outstanding += 1;
    this.#outstanding += 1;
    return () => {
      epoch.outstanding -= 1;
      this.#outstanding -= 1;
      this.leave(bytes);
      if (epoch.outstanding === 0 && this.#flushes.length > 0) this.#endFlushes();
    };
  }

  /** Gives room back. */
  leave(bytes: number): void {
    this.#heldBytes -= bytes + OVERHEAD_BYTES;
    for (;;) {
      const [next] = this.#waiting;
      if (next === undefined || !this.#fits(next.bytes + OVERHEAD_BYTES)) return;
      this.#waiting.shift();
      this.#heldBytes += next.bytes + OVERHEAD_BYTES;
      next.enter();
    }
  }

  /** Resolves when every record that is counted now has its outcome. */
  settled(): Promise<void> {
    if (this.#outstanding === 0) return Promise.resolve();
    const epoch = this.#epochs.at(-1) ?? { outstanding: 0 };
    this.#epochs.push({ outstanding: 0 });
    return new Promise((done) => this.#flushes.push({ epoch, done }));
  }

  #fits(bytes: number): boolean {
    return this.#heldBytes === 0 || this.#heldBytes + bytes <= this.#limitBytes;
  }

  #endFlushes(): void {
    while (this.#epochs.length > 1 && this.#epochs[0]?.outstanding === 0) {
      const [ended] = this.#epochs.splice(0, 1);
      while (this.#flushes[0]?.epoch === ended) this.#flushes.shift()?.done();
    }
  }
}
