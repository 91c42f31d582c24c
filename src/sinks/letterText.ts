// Dead letters as text: one JSON object each, made to fit the service that carries it, packed into calls that it takes.

import type { DeadLetter } from "../model/deadLetter.ts";

export function letterText(letter: DeadLetter): string {
  // Not allowed in the text of a message: the only such characters that JSON does not escape by itself.
  return JSON.stringify(letter).replace(/[\ufffe\uffff]/g, (c) =>
    c === "\ufffe" ? "\\ufffe" : "\\uffff",
  );
}

/** Lines kept of a letter that is too large even without its payload. */
const FEW_LINES = 5;

/**
 * The letter as text of at most `limitBytes`. One that is larger goes without its payload and says so: the record itself
 * is in the stream, at the position that the letter names, for as long as the stream keeps it.
 */
export function fittingText(letter: DeadLetter, limitBytes: number): string {
  const text = letterText(letter);
  return Buffer.byteLength(text) <= limitBytes ? text : textWithoutData(letter, limitBytes);
}

export function textWithoutData(letter: DeadLetter, limitBytes: number): string {
  const { data, ...rest } = letter;
  const bare: DeadLetter = { ...rest, dataOmitted: true };
  const text = letterText(bare);
  if (Buffer.byteLength(text) <= limitBytes) return text;
  const lastStderr = bare.cause.lastStderr.slice(-FEW_LINES);
  return letterText({ ...bare, cause: { ...bare.cause, lastStderr } });
}

export interface CallLimits {
  readonly maxEntries: number;
  readonly maxBytes: number;
}

/** Splits entries into calls that the service accepts, in order. */
export function packed<T extends { readonly bytes: number }>(
  entries: readonly T[],
  { maxEntries, maxBytes }: CallLimits,
): readonly (readonly T[])[] {
  const calls: T[][] = [];
  let last: T[] = [];
  let bytes = 0;
  for (const entry of entries) {
    if (calls.length === 0 || last.length === maxEntries || bytes + entry.bytes > maxBytes) {
      last = [];
      bytes = 0;
      calls.push(last);
    }
    last.push(entry);
    bytes += entry.bytes;
  }
  return calls;
}

/** The record's place: what makes two letters letters about the same record. */
export function placeOf(letter: DeadLetter): string {
  const { streamName, shardId, sequenceNumber, subSequenceNumber } = letter;
  return `${streamName}/${shardId}/${sequenceNumber}/${subSequenceNumber}`;
}
