// Letters on their way through a service that takes a few of them a call and may refuse some of those.

import { limited, type TimeLimit } from "../aws/limited.ts";
import type { DeadLetter } from "../model/deadLetter.ts";
import { counted } from "../plural.ts";
import { type CallLimits, fittingText, packed, textWithoutData } from "./letterText.ts";

export interface LetterEntry {
  readonly letter: DeadLetter;
  readonly text: string;
  /** Of the text, and whatever else counts. */
  readonly bytes: number;
}

/** What the service did not take of a call. */
export interface Refusal {
  readonly entry: LetterEntry;
  readonly code: string;
  readonly message: string;
}

/** Makes one call. @returns what was refused. */
export type Call = (
  entries: readonly LetterEntry[],
  signal: AbortSignal,
) => Promise<readonly Refusal[]>;

export interface LetterLimits extends CallLimits, Required<TimeLimit> {
  readonly maxLetterBytes: number;
}

/**
 * Sends letters call by call. Those that a call took are not sent again when the whole is tried again, as long as it is
 * tried with the same letters.
 */
export class LetterCalls {
  readonly #limits: LetterLimits;
  readonly #call: Call;
  readonly #safe = new WeakSet<DeadLetter>();
  /** Refused for their size, though within the limits: the person has set narrower ones. */
  readonly #tooLong = new WeakSet<DeadLetter>();

  constructor(limits: LetterLimits, call: Call) {
    this.#limits = limits;
    this.#call = call;
  }

  /** @throws Error that names the first refusal. */
  async send(letters: readonly DeadLetter[], signal: AbortSignal): Promise<void> {
    const waiting = letters.filter((letter) => !this.#safe.has(letter));
    const refusals: Refusal[] = [];
    for (const entries of packed(
      waiting.map((letter) => this.#entry(letter)),
      this.#limits,
    )) {
      signal.throwIfAborted();
      const refused = await limited(this.#limits, "dead letters", signal, (abort) =>
        this.#call(entries, abort),
      );
      const unsafe = new Set(refused.map(({ entry }) => entry));
      for (const entry of entries) if (!unsafe.has(entry)) this.#safe.add(entry.letter);
      refusals.push(...refused);
    }
    const shorten = refusals.filter(isTooLong).map(({ entry }) => entry.letter);
    const news = shorten.filter((letter) => !this.#tooLong.has(letter));
    for (const letter of news) this.#tooLong.add(letter);
    const [first] = refusals;
    if (!first) return;
    if (news.length === refusals.length) return this.send(letters, signal);
    throw new Error(
      `${refusals.length} of ${counted(letters.length, "dead letter")} refused: ${first.code}: ${first.message}`,
    );
  }

  #entry(letter: DeadLetter): LetterEntry {
    const { maxLetterBytes } = this.#limits;
    const text = this.#tooLong.has(letter)
      ? textWithoutData(letter, maxLetterBytes)
      : fittingText(letter, maxLetterBytes);
    return { letter, text, bytes: Buffer.byteLength(text) };
  }
}

function isTooLong({ code, message }: Refusal): boolean {
  return (
    /^(InvalidParameter(Value)?|ValidationException|.*TooLong)$/.test(code) && SIZE.test(message)
  );
}

const SIZE = /too long|shorter|length|size/i;
