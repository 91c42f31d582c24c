// How dead letters are written: one JSON object each, on one line.

import type { DeadLetter } from "../model/deadLetter.ts";
import { redact } from "../redact.ts";
import type { Format } from "./sink.ts";

export const deadLetterFormat: Format<DeadLetter> = {
  noun: "dead letter",
  text: letterText,
  shortText,
  partitionKey: (letter) => letter.partitionKey,
  group: (letter) => letter.shardId,
  id: (letter) => `${recordId(letter)}/${letter.buriedAt}`,
  objectKey(first, last) {
    const { applicationName, streamName, shardId } = first;
    const records = `${positionText(first)}-${positionText(last)}.ndjson`;
    return [applicationName, streamName, shardId, records].map(encodeURIComponent).join("/");
  },
};

/** The record as it is, and what the child printed without secrets, as in the log. */
export function letterText({ cause, ...record }: DeadLetter): string {
  const letter = { ...record, cause: { ...cause, lastStderr: cause.lastStderr.map(redact) } };
  // SQS and SNS reject these two characters, and JSON.stringify does not escape them.
  return JSON.stringify(letter).replace(/[\ufffe\uffff]/g, (c) =>
    c === "\ufffe" ? "\\ufffe" : "\\uffff",
  );
}

/** Lines of STDERR that a letter keeps when it is too large even without its payload. */
const FEW_LINES = 5;

/**
 * The letter without its payload, and flagged. The record itself stays in the stream, at the
 * position that the letter names, until the stream's retention period ends.
 */
function shortText(letter: DeadLetter, limitBytes: number): string {
  const { data, ...rest } = letter;
  const bare: DeadLetter = { ...rest, dataOmitted: true };
  const text = letterText(bare);
  if (Buffer.byteLength(text) <= limitBytes) return text;
  const lastStderr = bare.cause.lastStderr.slice(-FEW_LINES);
  return letterText({ ...bare, cause: { ...bare.cause, lastStderr } });
}

/** Names the record: two letters with the same id are about the same record. */
export function recordId(letter: DeadLetter): string {
  const { streamName, shardId, sequenceNumber, subSequenceNumber } = letter;
  return `${streamName}/${shardId}/${sequenceNumber}/${subSequenceNumber}`;
}

function positionText({ sequenceNumber, subSequenceNumber }: DeadLetter): string {
  return `${sequenceNumber}.${subSequenceNumber}`;
}
