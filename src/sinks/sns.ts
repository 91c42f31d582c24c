// A sink that publishes each item as one message of an SNS topic.

import type { Destination } from "../model/failureDestination.ts";
import { messageSink } from "./messageSink.ts";
import {
  clientOptions,
  installed,
  type ServiceContext,
  sdkClient,
  timeLimit,
} from "./serviceClients.ts";
import type { Format, Sink } from "./sink.ts";

// SNS limits of a default topic: 256 KiB for a message and for all messages of a call, 10 messages
// a call.
const LIMITS = { maxItemBytes: 2 ** 18, maxBytes: 2 ** 18, maxEntries: 10 };

type Topic = Pick<Extract<Destination, { type: "sns" }>, "topicArn" | "region">;

export async function openTopic<T extends object>(
  { topicArn, region }: Topic,
  format: Format<T>,
  context: ServiceContext,
): Promise<Sink<T>> {
  const { SNS } = await installed("sns", () => import("@aws-sdk/client-sns"));
  const options = await clientOptions("sns", region, context);
  const client = sdkClient(() => new SNS(options), options);
  const isFifo = topicArn.endsWith(".fifo");
  return messageSink({
    format,
    limits: LIMITS,
    timeLimit: timeLimit("SNS", context),
    async publish(messages, abortSignal) {
      const entries = messages.map(({ id, text, fifoIds }) => {
        return { Id: id, Message: text, ...(isFifo && fifoIds) };
      });
      const request = { TopicArn: topicArn, PublishBatchRequestEntries: entries };
      const { Failed = [] } = await client.publishBatch(request, { abortSignal });
      return Failed;
    },
    close: () => client.destroy(),
  });
}
