// Undoes everything that was started, in reverse order, including what was still starting.

export class Scope {
  readonly #undos: (() => Promise<unknown>)[] = [];

  /** Waits for `made` and registers how to undo it. */
  async use<T>(made: Promise<T>, undo: (made: T) => Promise<unknown>): Promise<T> {
    this.#undos.push(async () => {
      const outcome = await Promise.allSettled([made]);
      if (outcome[0].status === "fulfilled") await undo(outcome[0].value);
    });
    return made;
  }

  async close(): Promise<void> {
    for (const undo of this.#undos.splice(0).reverse()) await undo();
  }
}
