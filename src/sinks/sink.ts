// What a sink is, and what it must know about the items that it carries. A sink stores items in
// one place: a file, a queue, a topic, a bucket or a stream. It does not know what the items mean;
// a Format tells it how to write them.

export interface Sink<T> {
  /**
   * Resolves when all items are stored. Rejects when that is not certain: then send the same items
   * again. The sink may store some of them twice.
   */
  send(items: readonly T[], signal: AbortSignal): Promise<void>;
  close(): void;
}

/** How items of one kind are written to a sink. */
export interface Format<T> {
  /** One item, for messages: `dead letter`. */
  readonly noun: string;
  /** The whole item, on one line. */
  text(item: T): string;
  /** The item without what makes it large; at most `limitBytes` long where that is possible. */
  shortText(item: T, limitBytes: number): string;
  /** The partition key in a Kinesis stream. */
  partitionKey(item: T): string;
  /** FIFO queues and topics keep the order of the items of one group. */
  group(item: T): string;
  /** Equal only for two copies of the same item: FIFO queues and topics deliver one of them. */
  id(item: T): string;
  /**
   * The key of the S3 object that stores these items, without the prefix. Equal for the same items,
   * so that sending them twice stores them once.
   */
  objectKey(first: T, last: T): string;
}
