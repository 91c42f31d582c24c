// Opens the place for dead letters that the person named. One that cannot work is told at the start, not when the first
// record is to be saved.

import type { DeadLetterDestination } from "../model/deadLetter.ts";
import { UserError } from "../model/errors.ts";
import { type Destination, parseDestination } from "../model/failureDestination.ts";
import { FileDestination } from "./file.ts";
import type { Reach } from "./reach.ts";

export interface OpenDestination extends DeadLetterDestination {
  close(): void;
}

/**
 * Opens the destination and makes sure of what can be made sure of now.
 *
 * @param text the value of `onFailureDestination`.
 * @throws UserError when it is not understood, a file cannot be written, or the package that speaks with the service is
 *   not installed.
 */
export async function openDestination(text: string, reach: Reach): Promise<OpenDestination> {
  const destination = parseDestination(text);
  if (typeof destination !== "string") return open(destination, reach);
  throw new UserError(`onFailureDestination = ${text}: not understood. Allowed: ${destination}`);
}

async function open(destination: Destination, reach: Reach): Promise<OpenDestination> {
  switch (destination.type) {
    case "file":
      return FileDestination.open(destination.path);
    case "sqs":
      return (await import("./sqs.ts")).openQueue(destination.queue, reach);
    case "sns":
      return (await import("./sns.ts")).openTopic(destination, reach);
    case "s3":
      return (await import("./s3.ts")).openBucket(destination, reach);
    case "kinesis":
      return (await import("./kinesis.ts")).openStream(destination.stream, reach);
  }
}
