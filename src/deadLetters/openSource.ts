// Opens the source of dead letters that the user names.

import { UserError } from "../model/errors.ts";
import { parseDestination } from "../model/failureDestination.ts";
import type { ServiceContext } from "../sinks/serviceClients.ts";
import { openFileSource } from "./fileSource.ts";
import type { LetterSource } from "./letterSource.ts";

/**
 * @param text a path, or a value that `onFailureDestination` allows.
 * @throws UserError for a place that letters cannot be read from.
 */
export async function openSource(
  text: string,
  context: ServiceContext,
  now: () => number,
): Promise<LetterSource> {
  const place = parseDestination(text);
  if (typeof place === "string") return openFileSource(text, now);
  switch (place.type) {
    case "file":
      return openFileSource(place.path, now);
    case "sqs":
      return (await import("./sqsSource.ts")).openQueueSource(place.queue, context);
    case "s3":
      return (await import("./s3Source.ts")).openBucketSource(place, context);
    case "sns":
      throw cannot(
        text,
        "An SNS topic does not store messages. Subscribe an SQS queue to the topic, and redrive from the queue.",
      );
    case "kinesis":
      throw cannot(
        text,
        "Run a record processor on that stream instead: each of its records is a dead letter.",
      );
  }
}

function cannot(text: string, advice: string): UserError {
  return new UserError(`Dead letters cannot be redriven from ${text}. ${advice}`);
}
