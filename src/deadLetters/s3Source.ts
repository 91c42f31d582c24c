// Dead letters in an S3 bucket. The letters of an object that were redriven move to an object below
// PREFIX/redriven/; the others stay where they are.

import type { S3 } from "@aws-sdk/client-s3";
import type { DeadLetter } from "../model/deadLetter.ts";
import type { Destination } from "../model/failureDestination.ts";
import { letterText } from "../sinks/letterFormat.ts";
import { bucketClient } from "../sinks/s3.ts";
import type { ServiceContext } from "../sinks/serviceClients.ts";
import type { LetterPage, LetterSource } from "./letterSource.ts";
import { parseLetters } from "./parseLetters.ts";

export async function openBucketSource(
  { bucket, prefix }: Extract<Destination, { type: "s3" }>,
  context: ServiceContext,
): Promise<LetterSource> {
  const client = await bucketClient(context);
  const folder = prefix ? `${prefix}/` : "";
  const redriven = new Set<DeadLetter>();

  /**
   * Moves the letters that were redriven. Called once for each object, when the caller is done with
   * all its letters.
   */
  const moveRedriven = async (key: string, letters: readonly DeadLetter[]): Promise<void> => {
    const moving = letters.filter((letter) => redriven.has(letter));
    if (moving.length === 0) return;
    const done = `${folder}redriven/${key.slice(folder.length)}`;
    const before = parseLetters(await textOf(client, bucket, done)).letters;
    await put(client, bucket, done, [...before, ...moving]);
    const rest = letters.filter((letter) => !redriven.has(letter));
    if (rest.length > 0) await put(client, bucket, key, rest);
    else await client.deleteObject({ Bucket: bucket, Key: key });
  };

  return {
    name: `s3:${bucket}/${prefix}`,
    async *read(shardId): AsyncGenerator<LetterPage> {
      for await (const key of keysIn(client, bucket, folder)) {
        const { letters, incomplete } = parseLetters(await textOf(client, bucket, key));
        try {
          const wanted = letters.filter((letter) => !shardId || letter.shardId === shardId);
          yield { letters: wanted, done: 0, incomplete };
        } finally {
          await moveRedriven(key, letters);
        }
      }
    },
    async markRedriven(letters) {
      for (const letter of letters) redriven.add(letter);
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
