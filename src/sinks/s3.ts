// Dead letters to a bucket of S3: an object for those that were condemned together, one JSON object a line.

import { limited } from "../aws/limited.ts";
import type { DeadLetter } from "../model/deadLetter.ts";
import type { Destination } from "../model/failureDestination.ts";
import type { OpenDestination } from "./destination.ts";
import { letterText } from "./letterText.ts";
import { clientOptions, installed, type Reach, sdkClient, timeLimit } from "./reach.ts";

export async function openBucket(
  { bucket, prefix }: Extract<Destination, { type: "s3" }>,
  reach: Reach,
): Promise<OpenDestination> {
  const { S3 } = await installed("s3", () => import("@aws-sdk/client-s3"));
  const options = bucketOptions(await clientOptions("s3", undefined, reach));
  const client = sdkClient(() => new S3(options), options);
  return {
    // An object may have 5 TiB, 5 GiB of them in one call: nothing has to be left out.
    async send(letters, signal) {
      const [first] = letters;
      if (!first) return;
      const object = {
        Bucket: bucket,
        Key: [...(prefix ? [prefix] : []), objectName(first, letters.at(-1) ?? first)].join("/"),
        Body: letters.map((letter) => `${letterText(letter)}\n`).join(""),
        ContentType: "application/x-ndjson",
      };
      await limited(timeLimit("S3", reach), "dead letters", signal, (abortSignal) =>
        client.putObject(object, { abortSignal }),
      );
    },
    close: () => client.destroy(),
  };
}

/** Names of buckets as names of hosts need DNS, which an emulator has not. */
export function bucketOptions<T extends { readonly endpoint?: string }>(options: T) {
  return { ...options, forcePathStyle: options.endpoint !== undefined };
}

/** Named after its records: what is sent twice is there once. */
function objectName(first: DeadLetter, last: DeadLetter): string {
  const { applicationName, streamName, shardId } = first;
  const records = `${place(first)}-${place(last)}.ndjson`;
  return [applicationName, streamName, shardId, records].map(encodeURIComponent).join("/");
}

function place({ sequenceNumber, subSequenceNumber }: DeadLetter): string {
  return `${sequenceNumber}.${subSequenceNumber}`;
}
