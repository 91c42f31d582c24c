// Puts records with as few calls as the service allows, and puts again only those that it refused.

import {
  type KinesisClient,
  PutRecordsCommand,
  type PutRecordsRequestEntry,
  type PutRecordsResultEntry,
} from "@aws-sdk/client-kinesis";
import { type Clock, systemClock } from "../clock.ts";
import { UserError } from "../model/errors.ts";
import { counted } from "../plural.ts";
import { type Backoff, backoffMs } from "../retry.ts";

export interface RecordToPut {
  readonly data: Uint8Array;
  /** 1 to 256 characters; the service hashes it to choose the shard. */
  readonly partitionKey: string;
}

export interface PutResult {
  /** Stored, in the order in which they were given. */
  readonly put: readonly RecordToPut[];
  /** Not stored, because the signal was aborted first. */
  readonly unsent: readonly RecordToPut[];
  /** How many times a record was refused and had to be put again. */
  readonly refusals: number;
}

export interface PutOptions {
  /** Starts no further call; one under way is always finished. */
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  /** Hears of what each call has stored, also when a later one fails. */
  readonly onStored?: (records: readonly RecordToPut[]) => void;
}

// PutRecords takes at most 500 records and 5 MiB, partition keys included, a call.
export const MAX_RECORDS_PER_CALL = 500;
export const MAX_BYTES_PER_CALL = 5 * 1024 * 1024;

const REFUSED: Backoff = { baseMs: 100, capMs: 2_000 };
// About half a minute of refusals without one record taken: by then it is not a burst any more.
const MAX_ATTEMPTS_WITHOUT_PROGRESS = 30;

/**
 * Puts all records, call after call. What a call refuses (throttled, internal failure) goes into the next call,
 * in its old order, before anything that comes later. Order across partition keys is the service's affair.
 *
 * @throws UserError when the stream takes nothing for about half a minute; the SDK's error when a whole call fails.
 */
export async function putRecords(
  client: KinesisClient,
  streamName: string,
  records: readonly RecordToPut[],
  { signal, clock = systemClock, onStored = () => {} }: PutOptions = {},
): Promise<PutResult> {
  const put: RecordToPut[] = [];
  let refusals = 0;
  for (const call of splitIntoCalls(records)) {
    let waiting = call;
    let attempt = 0;
    while (waiting.length > 0) {
      if (signal?.aborted) {
        const stored = new Set(put);
        return { put, unsent: records.filter((record) => !stored.has(record)), refusals };
      }
      const answers = await putOnce(client, streamName, waiting);
      const refused = waiting.filter((_, index) => answers[index]?.ErrorCode);
      const stored = waiting.filter((_, index) => !answers[index]?.ErrorCode);
      put.push(...stored);
      onStored(stored);
      if (refused.length > 0) {
        attempt = refused.length < waiting.length ? 0 : attempt + 1;
        refusals += refused.length;
        if (attempt >= MAX_ATTEMPTS_WITHOUT_PROGRESS) throw takesNothing(streamName, answers);
        await clock.sleep(backoffMs(attempt, REFUSED), signal);
      }
      waiting = refused;
    }
  }
  return { put, unsent: [], refusals };
}

/** Splits records into calls that the service accepts, in order. One that is too big by itself gets its own call. */
export function splitIntoCalls(
  records: readonly RecordToPut[],
): readonly (readonly RecordToPut[])[] {
  const calls: RecordToPut[][] = [];
  let last: RecordToPut[] = [];
  let bytes = 0;
  for (const record of records) {
    const size = record.data.byteLength + Buffer.byteLength(record.partitionKey);
    const isFull = last.length === MAX_RECORDS_PER_CALL || bytes + size > MAX_BYTES_PER_CALL;
    if (calls.length === 0 || isFull) {
      last = [];
      bytes = 0;
      calls.push(last);
    }
    last.push(record);
    bytes += size;
  }
  return calls;
}

async function putOnce(
  client: KinesisClient,
  streamName: string,
  records: readonly RecordToPut[],
): Promise<readonly PutRecordsResultEntry[]> {
  const entries = records.map(
    ({ data, partitionKey }) =>
      ({ Data: data, PartitionKey: partitionKey }) satisfies PutRecordsRequestEntry,
  );
  const answer = await client.send(
    new PutRecordsCommand({ StreamName: streamName, Records: entries }),
  );
  const results = answer.Records ?? [];
  if (results.length !== records.length) {
    throw new Error(
      `PutRecords on ${streamName}: ${counted(records.length, "record")} sent, ${results.length} answered; which are stored is unknown`,
    );
  }
  return results;
}

function takesNothing(streamName: string, answers: readonly PutRecordsResultEntry[]): UserError {
  const { ErrorCode, ErrorMessage } = answers.find((answer) => answer.ErrorCode) ?? {};
  return new UserError(
    `Stream ${streamName} refused every record in ${MAX_ATTEMPTS_WITHOUT_PROGRESS} attempts: ${ErrorCode}: ${ErrorMessage}. ` +
      "A shard takes 1,000 records and 1 MiB a second: lower --rate, or add shards.",
  );
}
