// Dead letters in a queue. Those that were redriven are deleted; those that were not are given back when we are done.

import type { DeadLetter } from "../model/deadLetter.ts";
import type { Queue } from "../model/failureDestination.ts";
import { clientOptions, installed, type Reach, sdkClient } from "../sinks/reach.ts";
import { queueUrl } from "../sinks/sqs.ts";
import { parseLetter } from "./readLetters.ts";
import type { Found, LetterSource } from "./source.ts";

/** A limit of the service. */
const MESSAGES_A_CALL = 10;
/** How long nobody else sees what we have received and not settled. */
const VISIBILITY_SECONDS = 600;
/** A queue that has nothing for so long is empty. */
const WAIT_SECONDS = 2;

export async function openQueueSource(queue: Queue, reach: Reach): Promise<LetterSource> {
  const { SQS } = await installed("sqs", () => import("@aws-sdk/client-sqs"));
  const options = await clientOptions("sqs", queue.region, reach);
  const client = sdkClient(() => new SQS(options), options);
  const QueueUrl = await queueUrl(client, queue);
  /** Received, and neither deleted nor given back. */
  const handles = new Map<DeadLetter | symbol, string>();

  return {
    name: QueueUrl,
    async *find(shardId): AsyncGenerator<Found> {
      for (;;) {
        const { Messages = [] } = await client.receiveMessage({
          QueueUrl,
          MaxNumberOfMessages: MESSAGES_A_CALL,
          VisibilityTimeout: VISIBILITY_SECONDS,
          WaitTimeSeconds: WAIT_SECONDS,
        });
        if (Messages.length === 0) return;
        const letters: DeadLetter[] = [];
        let torn = 0;
        for (const { Body = "", ReceiptHandle = "" } of Messages) {
          const letter = parseLetter(Body);
          handles.set(letter ?? Symbol(), ReceiptHandle);
          if (!letter) torn += 1;
          else if (!shardId || letter.shardId === shardId) letters.push(letter);
        }
        yield { letters, done: 0, torn };
      }
    },
    async settle(letters) {
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
