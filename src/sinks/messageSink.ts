// What the sinks of SQS and SNS share: each item is one message, and a response names the messages
// that the service rejected by the ids that they had in the request.

import { createHash } from "node:crypto";
import { BatchSink, type BatchSinkParts, type Rejection } from "./batchSink.ts";
import type { Format, Sink } from "./sink.ts";

export interface Message {
  readonly id: string;
  readonly text: string;
  /** For FIFO queues and topics only. */
  readonly fifoIds: FifoIds;
}

interface FifoIds {
  readonly MessageGroupId: string;
  readonly MessageDeduplicationId: string;
}

/** A rejected message in a response of SQS or SNS. */
interface FailedEntry {
  readonly Id: string | undefined;
  readonly Code: string | undefined;
  readonly Message?: string | undefined;
}

interface MessageSinkParts<T> extends Omit<BatchSinkParts<T>, "call"> {
  /** Makes one call. @returns the messages that the service rejected. */
  readonly publish: (
    messages: readonly Message[],
    signal: AbortSignal,
  ) => Promise<readonly FailedEntry[]>;
}

export function messageSink<T extends object>(parts: MessageSinkParts<T>): Sink<T> {
  const { publish, ...rest } = parts;
  return new BatchSink({
    ...rest,
    async call(entries, signal) {
      const messages = entries.map(({ item, text }, index) => ({
        id: String(index),
        text,
        fifoIds: fifoIdsOf(item, rest.format),
      }));
      const failed = await publish(messages, signal);
      return failed.flatMap(({ Id, Code: code = "", Message: message = "" }): Rejection<T>[] => {
        const entry = entries[Number(Id)];
        return entry ? [{ entry, code, message }] : [];
      });
    },
  });
}

/**
 * A FIFO queue or topic keeps the items of one group in order, and delivers once what is sent twice
 * within its deduplication interval of five minutes.
 */
function fifoIdsOf<T>(item: T, { group, id }: Format<T>): FifoIds {
  return {
    MessageGroupId: group(item),
    MessageDeduplicationId: createHash("sha256").update(id(item)).digest("hex"),
  };
}
