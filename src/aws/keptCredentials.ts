// Keeps credentials until they are about to expire, or until a service refuses them. The SDK would keep keys without an
// expiry for as long as the process lives, although the file, the command or the role that they come from has new ones.

import { type Clock, systemClock } from "../clock.ts";
import type { Emit } from "../events.ts";
import { neverShow } from "../redact.ts";

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expiration?: Date;
}

/** What a client of the SDK takes as its credentials. Rejects with a UserError that names what was tried. */
export interface ProvideCredentials {
  (): Promise<Credentials>;
  /** The SDK asks for each call and keeps nothing itself. */
  readonly memoized: true;
  /**
   * A service has refused these keys: asks for others, unless that was done a moment ago.
   *
   * @param why the name of the service's error.
   * @returns whether the keys are different now.
   */
  renew(refused: Credentials, why: string): Promise<boolean>;
}

interface KeepOptions {
  readonly emit?: Emit;
  readonly clock?: Clock;
}

/** The SDK asks anew when less than this is left; what it gets must last longer, or it would ask again. */
const REFRESH_BEFORE_MS = 5 * 60_000;
/** After a refresh failed while the old keys are still valid. */
const REFRESH_AGAIN_MS = 30_000;
/** Many calls are refused at once, and asking may start a process or call STS. */
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

/** Keys that were valid once cannot be replaced for now. No UserError: that would end a daemon that works. */
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

  /** Once for all who want to know at the same time. */
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
