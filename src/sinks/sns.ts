// Dead letters to a topic of SNS, one message each.

import type { PublishBatchRequestEntry } from "@aws-sdk/client-sns";
import type { Destination } from "../model/failureDestination.ts";
import { LetterCalls, type Refusal } from "./calls.ts";
import type { OpenDestination } from "./destination.ts";
import { clientOptions, installed, type Reach, sdkClient, timeLimit } from "./reach.ts";
import { fifoIds } from "./sqs.ts";

// A message of a topic that was not set to more, and all messages of a call together, have at most 256 KiB; a call has
// at most 10.
const LIMITS = { maxLetterBytes: 2 ** 18, maxBytes: 2 ** 18, maxEntries: 10 };

export async function openTopic(
  { topicArn, region }: Extract<Destination, { type: "sns" }>,
  reach: Reach,
): Promise<OpenDestination> {
  const { SNS } = await installed("sns", () => import("@aws-sdk/client-sns"));
  const options = await clientOptions("sns", region, reach);
  const client = sdkClient(() => new SNS(options), options);
  const isFifo = topicArn.endsWith(".fifo");
  const calls = new LetterCalls(
    { ...LIMITS, ...timeLimit("SNS", reach) },
    async (entries, abortSignal) => {
      const { Failed = [] } = await client.publishBatch(
        {
          TopicArn: topicArn,
          PublishBatchRequestEntries: entries.map(
            ({ letter, text }, index): PublishBatchRequestEntry => ({
              Id: String(index),
              Message: text,
              ...(isFifo && fifoIds(letter)),
            }),
          ),
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
