// Puts records with as few calls as the service allows, and repeats only those that it refused.

import {
  type KinesisClient,
  PutRecordsCommand,
  type PutRecordsRequestEntry,
  type PutRecordsResultEntry,
} from "@aws-sdk/client-kinesis";
import { type Clock, systemClock } from "../clock.ts";
import { UserError } from "../model/errors.ts";
import { counted } from "../plural.ts";
import { type Backoff, backoffMs, retry } from "../retry.ts";

export interface RecordToPut {
  readonly data: Uint8Array;
  /** 1 to 256 characters; the service hashes it to choose the shard. */
  readonly partitionKey: string;
}

export interface PutResult {
  /** The records that were stored, in the order of storage. */
  readonly put: readonly RecordToPut[];
  /** The records that were not stored, because the signal was aborted first. */
  readonly unsent: readonly RecordToPut[];
  /** How often a record was refused and had to be put again. */
  readonly refusals: number;
}

export interface PutOptions {
  /** After an abort no further call starts; a call in flight is always finished. */
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  /** Receives what each call has stored, also when a later call fails. */
  readonly onStored?: (records: readonly RecordToPut[]) => void;
}

// A PutRecords call accepts at most 500 records and 5 MiB, partition keys included.
export const MAX_RECORDS_PER_CALL = 500;
export const MAX_BYTES_PER_CALL = 5 * 1024 * 1024;

const REFUSED: Backoff = { baseMs: 100, capMs: 2_000 };
// About half a minute in which no record is stored. A burst would be over by then.
const MAX_ATTEMPTS_WITHOUT_PROGRESS = 30;

/**
 * Puts all records, call after call. The records that a call refuses (throttled, internal failure)
 * go into the next call, in their order, before all later records. The service decides about the
 * order across partition keys.
 *
 * @throws UserError when the stream stores no record for about half a minute; the SDK's error when
 * a
 *   whole call fails.
 */
export async function putRecords(
  client: KinesisClient,
  streamName: string,
  records: readonly RecordToPut[],
  { signal = NEVER, clock = systemClock, onStored = () => {} }: PutOptions = {},
): Promise<PutResult> {
  const put: RecordToPut[] = [];
  let refusals = 0;
  const mayPass = (error: unknown) => error instanceof NothingStored;
  const policy = { clock, backoff: REFUSED, attempts: MAX_ATTEMPTS_WITHOUT_PROGRESS, mayPass };
  /** @returns the records that were refused; a call that stores none of them has failed. */
  const putSome = async (waiting: readonly RecordToPut[]) => {
    const results = await putOnce(client, streamName, waiting);
    const refused = waiting.filter((_, index) => results[index]?.ErrorCode);
    const stored = waiting.filter((_, index) => !results[index]?.ErrorCode);
    put.push(...stored);
    onStored(stored);
    refusals += refused.length;
    if (stored.length === 0) throw new NothingStored(streamName, results);
    return refused;
  };
  for (const call of splitIntoCalls(records)) {
    let waiting: readonly RecordToPut[] | undefined = call;
    while (waiting.length > 0) {
      const some: readonly RecordToPut[] = waiting;
      waiting = await retry(() => putSome(some), policy, signal);
      if (waiting === undefined) {
        const stored = new Set(put);
        return { put, unsent: records.filter((record) => !stored.has(record)), refusals };
      }
      if (waiting.length > 0) await clock.sleep(backoffMs(0, REFUSED), signal);
    }
  }
  return { put, unsent: [], refusals };
}

const NEVER = new AbortController().signal;

/**
 * Splits records into calls that the service accepts, in order. A record that is too large gets its
 * own call.
 */
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
  const response = await client.send(
    new PutRecordsCommand({ StreamName: streamName, Records: entries }),
  );
  const results = response.Records ?? [];
  if (results.length !== records.length) {
    throw new Error(
      `PutRecords on ${streamName}: ${counted(records.length, "record")} sent, but ${counted(results.length, "result")} returned. It is unknown which records are stored`,
    );
  }
  return results;
}

class NothingStored extends UserError {
  constructor(streamName: string, results: readonly PutRecordsResultEntry[]) {
    const { ErrorCode, ErrorMessage } = results.find((result) => result.ErrorCode) ?? {};
    super(
      `Stream ${streamName} refused every record in ${MAX_ATTEMPTS_WITHOUT_PROGRESS} attempts: ${ErrorCode}: ${ErrorMessage}. ` +
        "A shard accepts 1,000 records and 1 MiB per second: lower --rate, or add shards.",
    );
  }
}
