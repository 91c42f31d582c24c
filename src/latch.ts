// A fact that becomes true once and stays true. It takes the place of an AbortSignal wherever
// nothing is aborted: "the child was asked", "the lease is wanted elsewhere".

export class Latch {
  #isSet = false;
  readonly #waiting = new Set<() => void>();

  get isSet(): boolean {
    return this.#isSet;
  }

  set(): void {
    this.#isSet = true;
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  /** Resolves when the latch is set, or when the signal is aborted: ask `isSet` which. */
  wait(signal?: AbortSignal): Promise<void> {
    if (this.#isSet || signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        signal?.removeEventListener("abort", done);
        this.#waiting.delete(done);
        resolve();
      };
      signal?.addEventListener("abort", done, { once: true });
      this.#waiting.add(done);
    });
  }
}
