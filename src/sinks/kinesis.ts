// A sink that puts each item on a Kinesis stream as one record.

import { PutRecordsCommand } from "@aws-sdk/client-kinesis";
import { kinesisClient } from "../aws/kinesisClient.ts";
import { awsOptions } from "../aws/options.ts";
import type { Stream } from "../model/failureDestination.ts";
import { BatchSink, type Rejection } from "./batchSink.ts";
import { type ServiceContext, timeLimit } from "./serviceClients.ts";
import type { Format, Sink } from "./sink.ts";

/** The largest partition key: 256 characters of at most 4 bytes. */
const KEY_BYTES = 1024;
// Kinesis limits of a default stream: 1 MiB for a record with its partition key, 5 MiB and 500
// records a call.
const LIMITS = { maxItemBytes: 2 ** 20 - KEY_BYTES, maxBytes: 4 * 2 ** 20, maxEntries: 500 };

export async function openStream<T extends object>(
  stream: Stream,
  format: Format<T>,
  context: ServiceContext,
): Promise<Sink<T>> {
  const client = kinesisClient({ ...(await streamOptions(stream, context)), maxAttempts: 1 });
  const target = "arn" in stream ? { StreamARN: stream.arn } : { StreamName: stream.name };
  return new BatchSink({
    format,
    limits: LIMITS,
    timeLimit: timeLimit("Kinesis", context),
    async call(entries, abortSignal) {
      const Records = entries.map(({ item, text }) => ({
        Data: Buffer.from(text),
        PartitionKey: format.partitionKey(item),
      }));
      const command = new PutRecordsCommand({ ...target, Records });
      const response = await client.send(command, { abortSignal });
      const results = response.Records ?? [];
      return entries.flatMap((entry, index): Rejection<T>[] => {
        const result = results[index];
        if (result?.SequenceNumber && !result.ErrorCode) return [];
        const { ErrorCode: code = "NoAnswer", ErrorMessage: message = "" } = result ?? {};
        return [{ entry, code, message }];
      });
    },
    close: () => client.destroy(),
  });
}

/** The endpoint and region of the source stream, unless the ARN names another region. */
async function streamOptions(stream: Stream, { settings, emit }: ServiceContext) {
  const { kinesis } = settings.services;
  const connection = "region" in stream ? { ...kinesis, region: stream.region } : kinesis;
  return awsOptions({ services: { kinesis: connection } }, "kinesis", { emit });
}
