// Puts dead letters on a stream: each payload becomes a new record with the partition key of its
// original. A record that was part of a KPL aggregate becomes a separate record.

import { type KinesisOptions, kinesisClient } from "../aws/kinesisClient.ts";
import { putRecords } from "../producer/putRecords.ts";
import { explain } from "../put/explain.ts";
import type { RedriveTarget } from "./redrive.ts";

/** The most records that one PutRecords call takes. */
const BATCH = 500;

/** @param streamName when absent, each letter goes to the stream that its record came from. */
export function streamTarget(
  options: KinesisOptions,
  streamName: string | undefined,
): RedriveTarget {
  const client = kinesisClient(options);
  return {
    name:
      streamName === undefined ? "the stream that each record came from" : `stream ${streamName}`,
    batchSize: BATCH,
    async take(letters, onTaken) {
      const names = new Set(letters.map((letter) => streamName ?? letter.streamName));
      for (const name of names) {
        const records = letters
          .filter((letter) => (streamName ?? letter.streamName) === name)
          .map((letter) => ({
            letter,
            data: Buffer.from(letter.data, "base64"),
            partitionKey: letter.partitionKey,
          }));
        const stored = new Set<unknown>();
        const onStored = (some: readonly unknown[]) => {
          for (const one of some) stored.add(one);
        };
        try {
          await putRecords(client, name, records, { onStored });
        } catch (error) {
          const doing = `put dead letters back on stream ${name}`;
          throw explain(error, { doing, endpoint: options.endpoint ?? "AWS" });
        } finally {
          await onTaken(records.filter((one) => stored.has(one)).map(({ letter }) => letter));
        }
      }
      return undefined;
    },
    async close() {
      client.destroy();
    },
  };
}
