// What happens to a request to the lease table: whether and when it takes effect, and when and how
// it is answered.

import type { TableFailure } from "../../src/leases/table.ts";
import type { Random } from "./random.ts";

export interface Fate {
  /** If absent, the request has no effect on the table. */
  readonly appliesInMs: number | undefined;
  readonly answeredInMs: number;
  /** If absent, the response is the result. */
  readonly trouble?: TableFailure;
}

/** The probabilities for one request. */
export interface Climate {
  readonly throttled: number;
  /** It takes effect, and the response is lost. */
  readonly lost: number;
  /**
   * It takes effect late, up to two lease times. Or it takes effect at once and the response is
   * late.
   */
  readonly slow: number;
  readonly failed: number;
  /** A scan shows a row as it was a moment before. */
  readonly stale: number;
}

export const CALM: Climate = { throttled: 0, lost: 0, slow: 0, failed: 0, stale: 0.2 };

/**
 * How the table behaves during an outage: it returns errors, does not respond (some writes still
 * take effect), or throttles.
 */
export type Outage = "refusing" | "silent" | "throttling";

/** As src/aws/dynamoClient.ts sets it. */
export const REQUEST_TIMEOUT_MS = 3_000;

export class Weather {
  climate: Climate = CALM;
  outage: Outage | undefined;
  readonly #random: Random;
  readonly #failoverTimeMillis: number;

  constructor(random: Random, failoverTimeMillis: number) {
    this.#random = random;
    this.#failoverTimeMillis = failoverTimeMillis;
  }

  get stale(): boolean {
    return this.#random.chance(this.climate.stale);
  }

  fate(): Fate {
    const random = this.#random;
    const thereMs = random.between(1, 5);
    const backMs = random.between(1, 5);
    if (this.outage === "refusing") return failed(thereMs + backMs, "unavailable");
    if (this.outage === "throttling") return failed(thereMs + backMs, "throttled");
    if (this.outage === "silent") {
      const lateMs = random.chance(0.2) ? random.between(0, this.#failoverTimeMillis) : undefined;
      return { appliesInMs: lateMs, answeredInMs: REQUEST_TIMEOUT_MS, trouble: "unavailable" };
    }
    const { throttled, lost, slow, failed: broken } = this.climate;
    if (throttled + lost + slow + broken === 0) {
      return { appliesInMs: thereMs, answeredInMs: thereMs + backMs };
    }
    const dice = random.next();
    if (dice < throttled) return failed(thereMs + backMs, "throttled");
    if (dice < throttled + broken) return failed(thereMs + backMs, "unavailable");
    if (dice < throttled + broken + lost) {
      const answeredInMs = random.chance(0.5) ? thereMs + backMs : REQUEST_TIMEOUT_MS;
      return { appliesInMs: thereMs, answeredInMs, trouble: "unavailable" };
    }
    if (dice < throttled + broken + lost + slow / 2) {
      const answeredInMs = random.between(thereMs, REQUEST_TIMEOUT_MS);
      return { appliesInMs: thereMs, answeredInMs };
    }
    if (dice < throttled + broken + lost + slow) {
      const appliesInMs = random.between(100, 2 * this.#failoverTimeMillis);
      const answeredInMs = Math.min(appliesInMs + backMs, REQUEST_TIMEOUT_MS);
      return answeredInMs > appliesInMs
        ? { appliesInMs, answeredInMs }
        : { appliesInMs, answeredInMs, trouble: "unavailable" };
    }
    return { appliesInMs: thereMs, answeredInMs: thereMs + backMs };
  }
}

function failed(answeredInMs: number, trouble: TableFailure): Fate {
  return { appliesInMs: undefined, answeredInMs, trouble };
}
