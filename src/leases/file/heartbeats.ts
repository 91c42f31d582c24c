// The counters of the leases, for the commands that look at the directory of a running daemon. A
// renewal changes nothing but the counter, which nobody needs after the daemon's end, so it is not
// worth a synced write. The file is a courtesy: if it cannot be written, only `leases` shows the
// leases as not renewed.

import { readFile, rename, rm, writeFile } from "node:fs/promises";
import type { Clock } from "../../clock.ts";
import { ATTRIBUTES as A, type Item } from "../table/dynamoItem.ts";
import type { Rows } from "./journal.ts";

/** At most one write in this time. `leases` watches for longer than this. */
const PERIOD_MS = 500;

export class Heartbeats {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #rows: () => Rows;
  readonly #over = new AbortController();
  #isDue = false;
  #writing: Promise<void> | undefined;

  constructor(path: string, clock: Clock, rows: () => Rows) {
    this.#path = path;
    this.#clock = clock;
    this.#rows = rows;
  }

  /** A counter has changed. */
  beat(): void {
    this.#isDue = true;
    this.#writing ??= this.#write();
  }

  async close(): Promise<void> {
    this.#over.abort();
    await this.#writing;
    await rm(this.#path, { force: true }).catch(() => undefined);
  }

  async #write(): Promise<void> {
    while (this.#isDue) {
      await this.#clock.sleep(PERIOD_MS, this.#over.signal);
      if (this.#over.signal.aborted) return;
      this.#isDue = false;
      const counters = [...this.#rows()].map(([key, item]) => [key, item[A.counter]?.N]);
      const draft = `${this.#path}.new`;
      await writeFile(draft, JSON.stringify(Object.fromEntries(counters)))
        .then(() => rename(draft, this.#path))
        .catch(() => undefined);
    }
    this.#writing = undefined;
  }
}

/** The rows with the counters of the last heartbeat. */
export async function withHeartbeats(rows: Rows, path: string): Promise<Rows> {
  const text = await readFile(path, "utf8").catch(() => "{}");
  const counters = JSON.parse(text) as Record<string, string>;
  const newer = [...rows].map(([key, item]): [string, Item] => {
    const counter = counters[key];
    const isNewer = counter !== undefined && Number(counter) > Number(item[A.counter]?.N);
    return [key, isNewer ? { ...item, [A.counter]: { N: counter } } : item];
  });
  return new Map(newer);
}
