// Dead letters in a bucket. What was redriven of an object moves to PREFIX/redriven/, and what was not stays.

import type { S3 } from "@aws-sdk/client-s3";
import type { DeadLetter } from "../model/deadLetter.ts";
import type { Destination } from "../model/failureDestination.ts";
import { letterText } from "../sinks/letterText.ts";
import { clientOptions, installed, type Reach, sdkClient } from "../sinks/reach.ts";
import { bucketOptions } from "../sinks/s3.ts";
import { parseLetters } from "./readLetters.ts";
import type { Found, LetterSource } from "./source.ts";

export async function openBucketSource(
  { bucket, prefix }: Extract<Destination, { type: "s3" }>,
  reach: Reach,
): Promise<LetterSource> {
  const { S3 } = await installed("s3", () => import("@aws-sdk/client-s3"));
  const options = bucketOptions(await clientOptions("s3", undefined, reach));
  const client = sdkClient(() => new S3(options), options);
  const folder = prefix ? `${prefix}/` : "";
  const settled = new Set<DeadLetter>();

  /** To be called when all that is to become of an object's letters has become of them. */
  const tidy = async (key: string, letters: readonly DeadLetter[]): Promise<void> => {
    const gone = letters.filter((letter) => settled.has(letter));
    if (gone.length === 0) return;
    const done = `${folder}redriven/${key.slice(folder.length)}`;
    const before = parseLetters(await textOf(client, bucket, done)).letters;
    await put(client, bucket, done, [...before, ...gone]);
    const rest = letters.filter((letter) => !settled.has(letter));
    if (rest.length > 0) await put(client, bucket, key, rest);
    else await client.deleteObject({ Bucket: bucket, Key: key });
  };

  return {
    name: `s3:${bucket}/${prefix}`,
    async *find(shardId): AsyncGenerator<Found> {
      for await (const key of keysIn(client, bucket, folder)) {
        const { letters, torn } = parseLetters(await textOf(client, bucket, key));
        try {
          const wanted = letters.filter((letter) => !shardId || letter.shardId === shardId);
          yield { letters: wanted, done: 0, torn };
        } finally {
          await tidy(key, letters);
        }
      }
    },
    async settle(letters) {
      for (const letter of letters) settled.add(letter);
    },
    async close() {
      client.destroy();
    },
  };
}

async function* keysIn(client: S3, bucket: string, folder: string): AsyncGenerator<string> {
  let ContinuationToken: string | undefined;
  do {
    const page = await client.listObjectsV2({
      Bucket: bucket,
      Prefix: folder,
      ...(ContinuationToken !== undefined && { ContinuationToken }),
    });
    for (const { Key = "" } of page.Contents ?? []) {
      if (Key.endsWith(".ndjson") && !Key.startsWith(`${folder}redriven/`)) yield Key;
    }
    ContinuationToken = page.NextContinuationToken;
  } while (ContinuationToken !== undefined);
}

async function textOf(client: S3, bucket: string, key: string): Promise<string> {
  try {
    const { Body } = await client.getObject({ Bucket: bucket, Key: key });
    return (await Body?.transformToString()) ?? "";
  } catch (error) {
    if (error instanceof Error && error.name === "NoSuchKey") return "";
    throw error;
  }
}

async function put(
  client: S3,
  bucket: string,
  key: string,
  letters: readonly DeadLetter[],
): Promise<void> {
  await client.putObject({
    Bucket: bucket,
    Key: key,
    Body: letters.map((letter) => `${letterText(letter)}\n`).join(""),
    ContentType: "application/x-ndjson",
  });
}
