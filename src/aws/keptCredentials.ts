// Caches credentials until shortly before they expire, or until a service refuses them. The SDK
// would keep keys without an expiry for the life of the process, although their source (a file, a
// command, a role) has newer ones.

import { type Clock, systemClock } from "../clock.ts";
import type { Emit } from "../events.ts";
import { neverShow } from "../redact.ts";

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expiration?: Date;
}

/**
 * The `credentials` option of an SDK client. Rejects with a UserError that lists the sources tried.
 */
export interface ProvideCredentials {
  (): Promise<Credentials>;
  /** Makes the SDK call this function for each request, without a cache of its own. */
  readonly memoized: true;
  /**
   * Fetches new keys because a service refused these, unless they were fetched a moment ago.
   *
   * @param why the name of the service's error.
   * @returns whether the current keys differ from the refused ones.
   */
  renew(refused: Credentials, why: string): Promise<boolean>;
}

interface KeepOptions {
  readonly emit?: Emit;
  readonly clock?: Clock;
}

/** Refresh when less than this is left. The SDK uses the same threshold. */
const REFRESH_BEFORE_MS = 5 * 60_000;
/** The pause after a failed refresh, while the old keys are still valid. */
const REFRESH_AGAIN_MS = 30_000;
/** The pause between renewals: many calls fail at once, and a renewal may start a process. */
const RENEW_EVERY_MS = 5_000;

export function keepCredentials(
  provide: () => Promise<Credentials>,
  { emit = () => {}, clock = systemClock }: KeepOptions = {},
): ProvideCredentials {
  const kept = new KeptCredentials(provide, emit, clock);
  return Object.assign(() => kept.get(), {
    memoized: true as const,
    renew: (refused: Credentials, why: string) => kept.renew(refused, why),
  });
}

/** Expired keys could not be replaced. Not a UserError, because that would end a running daemon. */
class NotRenewed extends Error {
  override readonly name = "CredentialsProviderError";
}

class KeptCredentials {
  readonly #provide: () => Promise<Credentials>;
  readonly #emit: Emit;
  readonly #clock: Clock;
  #current: Credentials | undefined;
  #asking: Promise<Credentials> | undefined;
  #refreshAfterMs = Number.NEGATIVE_INFINITY;
  #renewAfterMs = Number.NEGATIVE_INFINITY;

  constructor(provide: () => Promise<Credentials>, emit: Emit, clock: Clock) {
    this.#provide = provide;
    this.#emit = emit;
    this.#clock = clock;
  }

  async get(): Promise<Credentials> {
    const current = this.#current;
    if (!current) return this.#ask();
    const leftMs = this.#leftMs(current);
    if (leftMs > REFRESH_BEFORE_MS) return current;
    if (leftMs > 0 && this.#clock.monotonicMs() < this.#refreshAfterMs) return current;
    try {
      return await this.#ask();
    } catch (error) {
      this.#refreshAfterMs = this.#clock.monotonicMs() + REFRESH_AGAIN_MS;
      if (leftMs <= 0) throw new NotRenewed(messageOf(error), { cause: error });
      this.#emit({ type: "credentialsTrouble", error, validForMs: leftMs });
      return current;
    }
  }

  async renew(refused: Credentials, why: string): Promise<boolean> {
    if (!this.#isCurrent(refused)) return true;
    const nowMs = this.#clock.monotonicMs();
    if (!this.#asking && nowMs < this.#renewAfterMs) return false;
    this.#renewAfterMs = nowMs + RENEW_EVERY_MS;
    const isFirst = !this.#asking;
    try {
      await this.#ask();
    } catch (error) {
      if (isFirst) this.#emit({ type: "credentialsTrouble", error, validForMs: 0 });
      return false;
    }
    const renewed = !this.#isCurrent(refused);
    if (renewed && isFirst) this.#emit({ type: "credentialsRenewed", why });
    return renewed;
  }

  /** Concurrent callers share one fetch. */
  #ask(): Promise<Credentials> {
    this.#asking ??= this.#askNow().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #askNow(): Promise<Credentials> {
    const credentials = await this.#provide();
    neverShow(credentials.secretAccessKey, credentials.sessionToken);
    this.#current = credentials;
    return credentials;
  }

  #leftMs({ expiration }: Credentials): number {
    return (expiration?.getTime() ?? Number.POSITIVE_INFINITY) - this.#clock.now();
  }

  #isCurrent({ accessKeyId, secretAccessKey, sessionToken }: Credentials): boolean {
    const current = this.#current;
    return (
      current?.accessKeyId === accessKeyId &&
      current.secretAccessKey === secretAccessKey &&
      current.sessionToken === sessionToken
    );
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
