// Dead letters in an SQS queue. Letters that were redriven are deleted; the others become visible
// to other consumers when the source is closed.

import type { DeadLetter } from "../model/deadLetter.ts";
import type { Queue } from "../model/failureDestination.ts";
import type { ServiceContext } from "../sinks/serviceClients.ts";
import { queueClient, queueUrl } from "../sinks/sqs.ts";
import type { LetterPage, LetterSource } from "./letterSource.ts";
import { parseLetter } from "./parseLetters.ts";

/** The most messages that one ReceiveMessage call returns. */
const MESSAGES_A_CALL = 10;
/** How long SQS hides a received message from other consumers. */
const VISIBILITY_SECONDS = 600;
/** A queue that returns no message within this time counts as empty. */
const WAIT_SECONDS = 2;

export async function openQueueSource(
  queue: Queue,
  context: ServiceContext,
): Promise<LetterSource> {
  const client = await queueClient(queue, context);
  const QueueUrl = await queueUrl(client, queue);
  /** The receipt handles of messages that are received, and neither deleted nor given back. */
  const handles = new Map<DeadLetter | symbol, string>();

  return {
    name: QueueUrl,
    async *read(shardId): AsyncGenerator<LetterPage> {
      for (;;) {
        const { Messages = [] } = await client.receiveMessage({
          QueueUrl,
          MaxNumberOfMessages: MESSAGES_A_CALL,
          VisibilityTimeout: VISIBILITY_SECONDS,
          WaitTimeSeconds: WAIT_SECONDS,
        });
        if (Messages.length === 0) return;
        const letters: DeadLetter[] = [];
        let incomplete = 0;
        for (const { Body = "", ReceiptHandle = "" } of Messages) {
          const letter = parseLetter(Body);
          handles.set(letter ?? Symbol(), ReceiptHandle);
          if (!letter) incomplete += 1;
          else if (!shardId || letter.shardId === shardId) letters.push(letter);
        }
        yield { letters, done: 0, incomplete };
      }
    },
    async markRedriven(letters) {
      for (const letter of letters) {
        const ReceiptHandle = handles.get(letter);
        await client.deleteMessage({ QueueUrl, ReceiptHandle });
        handles.delete(letter);
      }
    },
    async close() {
      for (const ReceiptHandle of handles.values()) {
        await client.changeMessageVisibility({ QueueUrl, ReceiptHandle, VisibilityTimeout: 0 });
      }
      client.destroy();
    },
  };
}
