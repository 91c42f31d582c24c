// Dead letters to another stream, one record each, under the partition key of the record that they are about.

import { PutRecordsCommand } from "@aws-sdk/client-kinesis";
import { kinesisClient } from "../aws/kinesisClient.ts";
import { awsOptions } from "../aws/options.ts";
import type { Stream } from "../model/failureDestination.ts";
import { LetterCalls, type Refusal } from "./calls.ts";
import type { OpenDestination } from "./destination.ts";
import { type Reach, timeLimit } from "./reach.ts";

/** Of a partition key: 256 characters of at most 4 bytes. */
const KEY_BYTES = 1024;
// A record of a stream that was not set to more has at most 1 MiB, its key included; a call has at most 5 MiB and 500.
const LIMITS = { maxLetterBytes: 2 ** 20 - KEY_BYTES, maxBytes: 4 * 2 ** 20, maxEntries: 500 };

export async function openStream(stream: Stream, reach: Reach): Promise<OpenDestination> {
  const client = kinesisClient({ ...(await streamOptions(stream, reach)), maxAttempts: 1 });
  const target = "arn" in stream ? { StreamARN: stream.arn } : { StreamName: stream.name };
  const calls = new LetterCalls(
    { ...LIMITS, ...timeLimit("Kinesis", reach) },
    async (entries, abortSignal) => {
      const Records = entries.map(({ letter, text }) => ({
        Data: Buffer.from(text),
        PartitionKey: letter.partitionKey,
      }));
      const answer = await client.send(new PutRecordsCommand({ ...target, Records }), {
        abortSignal,
      });
      const results = answer.Records ?? [];
      return entries.flatMap((entry, index): Refusal[] => {
        const result = results[index];
        if (result?.SequenceNumber && !result.ErrorCode) return [];
        const { ErrorCode: code = "NoAnswer", ErrorMessage: message = "" } = result ?? {};
        return [{ entry, code, message }];
      });
    },
  );
  return {
    send: (letters, signal) => calls.send(letters, signal),
    close: () => client.destroy(),
  };
}

/** Where the source is, an emulator included, unless the ARN names another region. */
async function streamOptions(stream: Stream, { settings, emit }: Reach) {
  const { kinesis } = settings.services;
  const reach = "region" in stream ? { ...kinesis, region: stream.region } : kinesis;
  return awsOptions({ services: { kinesis: reach } }, "kinesis", { emit });
}
