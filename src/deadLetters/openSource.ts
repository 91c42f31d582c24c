// Finds out what the person means by a place with dead letters.

import { UserError } from "../model/errors.ts";
import { parseDestination } from "../model/failureDestination.ts";
import type { Reach } from "../sinks/reach.ts";
import { openFileSource } from "./fileSource.ts";
import type { LetterSource } from "./source.ts";

/**
 * @param text a path, or what `onFailureDestination` may say.
 * @throws UserError for a place from which letters cannot be taken.
 */
export async function openSource(
  text: string,
  reach: Reach,
  now: () => number,
): Promise<LetterSource> {
  const place = parseDestination(text);
  if (typeof place === "string") return openFileSource(text, now);
  switch (place.type) {
    case "file":
      return openFileSource(place.path, now);
    case "sqs":
      return (await import("./sqsSource.ts")).openQueueSource(place.queue, reach);
    case "s3":
      return (await import("./s3Source.ts")).openBucketSource(place, reach);
    case "sns":
      throw cannot(text, "a topic keeps nothing. Subscribe a queue to it.");
    case "kinesis":
      throw cannot(text, "run a processor on that stream: each of its records is a dead letter.");
  }
}

function cannot(text: string, advice: string): UserError {
  return new UserError(`Dead letters cannot be taken back from ${text}: ${advice}`);
}
