// Opens the place for dead letters that `onFailureDestination` names. A place that cannot work is
// reported when the daemon starts, not when the first record has to be saved.

import type { DeadLetter } from "../model/deadLetter.ts";
import { UserError } from "../model/errors.ts";
import { type Destination, parseDestination } from "../model/failureDestination.ts";
import { FileSink } from "./file.ts";
import { deadLetterFormat } from "./letterFormat.ts";
import type { ServiceContext } from "./serviceClients.ts";
import type { Sink } from "./sink.ts";

export type OpenDestination = Sink<DeadLetter>;

/**
 * Opens the destination and checks what can be checked without sending a letter.
 *
 * @param text the value of `onFailureDestination`.
 * @throws UserError when the value is invalid, the file cannot be written, or the package of the
 *   service's client is not installed.
 */
export async function openDestination(
  text: string,
  context: ServiceContext,
): Promise<OpenDestination> {
  const destination = parseDestination(text);
  if (typeof destination === "string") {
    throw new UserError(
      `onFailureDestination = ${text} is not a valid destination. Allowed: ${destination}`,
    );
  }
  try {
    return await open(destination, context);
  } catch (cause) {
    if (!(cause instanceof UserError)) throw cause;
    throw new UserError(`onFailureDestination = ${text}: ${cause.message}`, { cause });
  }
}

async function open(to: Destination, context: ServiceContext): Promise<OpenDestination> {
  switch (to.type) {
    case "file":
      return FileSink.open(to.path, deadLetterFormat);
    case "sqs":
      return (await import("./sqs.ts")).openQueue(to.queue, deadLetterFormat, context);
    case "sns":
      return (await import("./sns.ts")).openTopic(to, deadLetterFormat, context);
    case "s3":
      return (await import("./s3.ts")).openBucket(to, deadLetterFormat, context);
    case "kinesis":
      return (await import("./kinesis.ts")).openStream(to.stream, deadLetterFormat, context);
  }
}
