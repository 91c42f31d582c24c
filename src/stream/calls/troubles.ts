// Which failures are told. A service that cannot be reached fails for every shard and every try; a person wants one
// warning of it, a reminder now and then, and a word when it is over. What a person has to mend is no reminder of what
// might have passed by itself.

import type { Clock } from "../../clock.ts";
import type { Emit } from "../../events.ts";
import { isLasting } from "./readErrors.ts";

const REMIND_MS = 60_000;

interface Trouble {
  attempts: number;
  toldMs: number;
  /** What was told last, only a person mends. */
  lasting: boolean;
  /** Told since it began: then its end is told too. */
  told: boolean;
}

export interface Failure {
  readonly operation: string;
  /** Absent: it concerns all shards alike, and is told once for all. */
  readonly shardId?: string;
  readonly error: unknown;
  readonly retryInMs: number;
}

export class Troubles {
  readonly #emit: Emit;
  readonly #clock: Clock;
  /** By shard, or "" for all of them. */
  readonly #troubles = new Map<string, Trouble>();

  constructor(emit: Emit, clock: Clock) {
    this.#emit = emit;
    this.#clock = clock;
  }

  failed({ operation, shardId, error, retryInMs }: Failure): void {
    const nowMs = this.#clock.monotonicMs();
    const trouble = this.#troubles.get(shardId ?? "") ?? {
      attempts: 0,
      toldMs: Number.NEGATIVE_INFINITY,
      lasting: false,
      told: false,
    };
    this.#troubles.set(shardId ?? "", trouble);
    trouble.attempts += 1;
    // Trouble that comes and goes is not news each time either.
    const lasting = isLasting(error);
    const isWorse = lasting && !trouble.lasting;
    if (nowMs - trouble.toldMs < REMIND_MS && !isWorse) return;
    trouble.toldMs = nowMs;
    trouble.lasting = lasting;
    trouble.told = true;
    this.#emit({
      type: "serviceTrouble",
      service: "kinesis",
      operation,
      ...(shardId === undefined ? {} : { shardId }),
      error,
      attempt: trouble.attempts,
      retryInMs,
    });
  }

  /** An answer has come: the trouble of this shard, and that of all, is over. */
  succeeded(operation: string, shardId: string): void {
    if (this.#troubles.size === 0) return;
    this.#over("", operation);
    this.#over(shardId, operation);
  }

  /** The shard is not read any longer. */
  forget(shardId: string): void {
    this.#troubles.delete(shardId);
  }

  #over(key: string, operation: string): void {
    const trouble = this.#troubles.get(key);
    if (!trouble || trouble.attempts === 0) return;
    const { attempts, told } = trouble;
    trouble.attempts = 0;
    trouble.told = false;
    if (!told) return;
    this.#emit({
      type: "serviceRecovered",
      service: "kinesis",
      operation,
      ...(key === "" ? {} : { shardId: key }),
      attempts,
    });
  }
}
