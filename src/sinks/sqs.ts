// A sink that sends each item as one message to an SQS queue.

import type { SQS } from "@aws-sdk/client-sqs";
import type { Queue } from "../model/failureDestination.ts";
import { messageSink } from "./messageSink.ts";
import {
  clientOptions,
  installed,
  type ServiceContext,
  sdkClient,
  timeLimit,
} from "./serviceClients.ts";
import type { Format, Sink } from "./sink.ts";

// SQS limits: 1 MiB for a message and for all messages of a call (the owner of a queue may set a
// lower limit), 10 messages a call.
const LIMITS = { maxItemBytes: 2 ** 20, maxBytes: 2 ** 20, maxEntries: 10 };

export async function openQueue<T extends object>(
  queue: Queue,
  format: Format<T>,
  context: ServiceContext,
): Promise<Sink<T>> {
  const client = await queueClient(queue, context);
  let url: string | undefined;
  return messageSink({
    format,
    limits: LIMITS,
    timeLimit: timeLimit("SQS", context),
    async publish(messages, abortSignal) {
      url ??= await queueUrl(client, queue);
      const isFifo = url.endsWith(".fifo");
      const Entries = messages.map(({ id, text, fifoIds }) => {
        return { Id: id, MessageBody: text, ...(isFifo && fifoIds) };
      });
      const request = { QueueUrl: url, Entries };
      const { Failed = [] } = await client.sendMessageBatch(request, { abortSignal });
      return Failed;
    },
    close: () => client.destroy(),
  });
}

export async function queueClient({ region }: Queue, context: ServiceContext) {
  const { SQS } = await installed("sqs", () => import("@aws-sdk/client-sqs"));
  const options = await clientOptions("sqs", region, context);
  return sdkClient(() => new SQS(options), options);
}

/** The URL of the queue. SQS finds it when the user gave an ARN. */
export async function queueUrl(client: SQS, queue: Queue): Promise<string> {
  if ("url" in queue) return queue.url;
  const { name: QueueName, accountId: QueueOwnerAWSAccountId } = queue;
  const { QueueUrl } = await client.getQueueUrl({ QueueName, QueueOwnerAWSAccountId });
  if (!QueueUrl) throw new Error(`SQS returned no URL for the queue ${QueueName}.`);
  return QueueUrl;
}
