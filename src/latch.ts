// A fact that becomes true once and stays true. It replaces an AbortSignal wherever nothing is
// aborted: "the daemon was resumed", "another worker requested the lease".

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

  /** Resolves when the latch is set or the signal is aborted. `isSet` says which. */
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
