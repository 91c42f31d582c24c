// Server-sent events: a follower receives the whole view at once, and then each second what has
// changed since. One round serves all followers, and there are none while nobody follows. A
// follower that does not keep up is disconnected: its browser connects again and begins anew.

import type { ServerResponse } from "node:http";
import type { Clock } from "../clock.ts";
import type { ShardRow, View, WholeView } from "./view.ts";

const ROUND_MS = 1_000;
const FOLLOWERS_MAX = 16;
/** More than a whole view of a thousand shards. */
const BACKLOG_MAX_BYTES = 4 * 1024 * 1024;

export class LiveStream {
  readonly #view: View;
  readonly #clock: Clock;
  readonly #followers = new Set<ServerResponse>();
  readonly #closed = new AbortController();
  #isRunning = false;

  constructor(view: View, clock: Clock) {
    this.#view = view;
    this.#clock = clock;
  }

  get isFull(): boolean {
    return this.#followers.size >= FOLLOWERS_MAX;
  }

  async follow(response: ServerResponse): Promise<void> {
    this.#followers.add(response);
    response.once("close", () => this.#followers.delete(response));
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    const whole = await this.#view.whole();
    send(response, "whole", { ...whole, history: this.#view.history() });
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      await this.#run(whole);
    } finally {
      this.#isRunning = false;
    }
  }

  close(): void {
    this.#closed.abort();
    for (const response of this.#followers) response.destroy();
  }

  async #run(first: WholeView): Promise<void> {
    let before = shownTexts(first);
    let { step } = this.#view;
    for (;;) {
      await this.#clock.sleep(ROUND_MS, this.#closed.signal);
      if (this.#followers.size === 0 || this.#closed.signal.aborted) return;
      const whole = await this.#view.whole();
      const now = shownTexts(whole);
      const isNext = this.#view.step !== step;
      ({ step } = this.#view);
      const change = {
        ...changedFacts(whole, before, now),
        // The step that is over, and the one that has begun.
        ...(isNext && { history: this.#view.history(2) }),
      };
      for (const follower of this.#followers) send(follower, "change", change);
      before = now;
    }
  }
}

/** The JSON text of each part of a view, by which changes are found. */
function shownTexts({ shards, ...facts }: WholeView): ReadonlyMap<string, string> {
  const ofFacts = Object.entries(facts).map(
    ([name, fact]) => [name, JSON.stringify(fact)] as const,
  );
  const ofShards = shards.map((shard) => [keyOf(shard), JSON.stringify(shard)] as const);
  return new Map([...ofFacts, ...ofShards]);
}

function changedFacts(
  { shards, ...facts }: WholeView,
  before: ReadonlyMap<string, string>,
  now: ReadonlyMap<string, string>,
): Record<string, unknown> {
  const isChanged = (key: string) => before.get(key) !== now.get(key);
  const gone = [...before.keys()].filter((key) => key.startsWith(SHARD) && !now.has(key));
  return {
    ...Object.fromEntries(Object.entries(facts).filter(([name]) => isChanged(name))),
    shards: shards.filter((shard) => isChanged(keyOf(shard))),
    gone: gone.map((key) => key.slice(SHARD.length)),
  };
}

const SHARD = "shard:";

function keyOf({ shardId }: ShardRow): string {
  return `${SHARD}${shardId}`;
}

function send(response: ServerResponse, event: string, data: unknown): void {
  if (response.destroyed) return;
  if (response.writableLength > BACKLOG_MAX_BYTES) response.destroy();
  else response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}
