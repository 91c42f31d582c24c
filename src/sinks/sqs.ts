// Dead letters to a queue of SQS, one message each.

import { createHash } from "node:crypto";
import type { SendMessageBatchRequestEntry, SQS } from "@aws-sdk/client-sqs";
import type { Queue } from "../model/failureDestination.ts";
import { LetterCalls, type LetterEntry, type Refusal } from "./calls.ts";
import type { OpenDestination } from "./destination.ts";
import { placeOf } from "./letterText.ts";
import { clientOptions, installed, type Reach, sdkClient, timeLimit } from "./reach.ts";

// A message, and all messages of a call together, have at most 1 MiB (a queue may be set to less); a call has at most 10.
const LIMITS = { maxLetterBytes: 2 ** 20, maxBytes: 2 ** 20, maxEntries: 10 };

export async function openQueue(queue: Queue, reach: Reach): Promise<OpenDestination> {
  const { SQS } = await installed("sqs", () => import("@aws-sdk/client-sqs"));
  const options = await clientOptions("sqs", queue.region, reach);
  const client = sdkClient(() => new SQS(options), options);
  let url: string | undefined;
  const calls = new LetterCalls(
    { ...LIMITS, ...timeLimit("SQS", reach) },
    async (entries, abortSignal) => {
      url ??= await queueUrl(client, queue);
      const isFifo = url.endsWith(".fifo");
      const { Failed = [] } = await client.sendMessageBatch(
        {
          QueueUrl: url,
          Entries: entries.map((entry, index) => message(entry, index, isFifo)),
        },
        { abortSignal },
      );
      return Failed.flatMap(({ Id, Code = "", Message = "" }): Refusal[] => {
        const entry = entries[Number(Id)];
        return entry ? [{ entry, code: Code, message: Message }] : [];
      });
    },
  );
  return {
    send: (letters, signal) => calls.send(letters, signal),
    close: () => client.destroy(),
  };
}

/** The service knows the URL that belongs to an ARN. */
export async function queueUrl(client: SQS, queue: Queue): Promise<string> {
  if ("url" in queue) return queue.url;
  const { name: QueueName, accountId: QueueOwnerAWSAccountId } = queue;
  const { QueueUrl } = await client.getQueueUrl({ QueueName, QueueOwnerAWSAccountId });
  if (!QueueUrl) throw new Error(`SQS named no URL for the queue ${QueueName}`);
  return QueueUrl;
}

function message(
  { letter, text }: LetterEntry,
  index: number,
  isFifo: boolean,
): SendMessageBatchRequestEntry {
  return { Id: String(index), MessageBody: text, ...(isFifo && fifoIds(letter)) };
}

/** In a FIFO queue or topic a shard's letters stay in order, and one that is sent twice is delivered once. */
export function fifoIds(letter: LetterEntry["letter"]) {
  return {
    MessageGroupId: letter.shardId,
    MessageDeduplicationId: createHash("sha256")
      .update(`${placeOf(letter)}/${letter.buriedAt}`)
      .digest("hex"),
  };
}
