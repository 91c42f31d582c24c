// A sink that stores items in an S3 bucket: one object for each call of `send`, one item a line.

import { limited } from "../aws/limited.ts";
import type { Destination } from "../model/failureDestination.ts";
import {
  clientOptions,
  installed,
  type ServiceContext,
  sdkClient,
  timeLimit,
} from "./serviceClients.ts";
import type { Format, Sink } from "./sink.ts";

type Bucket = Pick<Extract<Destination, { type: "s3" }>, "bucket" | "prefix">;

export async function openBucket<T>(
  { bucket, prefix }: Bucket,
  format: Format<T>,
  context: ServiceContext,
): Promise<Sink<T>> {
  const client = await bucketClient(context);
  return {
    // One PutObject call may carry 5 GiB, so items never have to be shortened.
    async send(items, signal) {
      const [first] = items;
      if (!first) return;
      const key = format.objectKey(first, items.at(-1) ?? first);
      const object = {
        Bucket: bucket,
        Key: [...(prefix ? [prefix] : []), key].join("/"),
        Body: items.map((item) => `${format.text(item)}\n`).join(""),
        ContentType: "application/x-ndjson",
      };
      const operation = `the request to store ${format.noun}s`;
      await limited(timeLimit("S3", context), operation, signal, (abortSignal) =>
        client.putObject(object, { abortSignal }),
      );
    },
    close: () => client.destroy(),
  };
}

export async function bucketClient(context: ServiceContext) {
  const { S3 } = await installed("s3", () => import("@aws-sdk/client-s3"));
  const options = await clientOptions("s3", undefined, context);
  // A bucket name in the host name needs DNS, which emulators do not have.
  const forcePathStyle = options.endpoint !== undefined;
  return sdkClient(() => new S3({ ...options, forcePathStyle }), options);
}
