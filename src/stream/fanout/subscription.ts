// One subscription: from the SubscribeToShard call to the end of its event stream. Kinesis ends it
// after five minutes.

import { SubscribeToShardCommand } from "@aws-sdk/client-kinesis";
import { WINDOW_BYTES } from "../../aws/kinesisClient.ts";
import type { RawSubscribeToShardOutput } from "../../aws/kinesisProtocol.ts";
import { limited } from "../../aws/limited.ts";
import { readSubscriptionEvent, type SubscriptionEvent } from "../../records/getRecordsResponse.ts";
import { InvalidResponse } from "../../records/invalidResponse.ts";
import type { Disaggregate } from "../../records/kpl/disaggregate.ts";
import type { CallOptions, IteratorPlace } from "../calls/kinesisCalls.ts";
import { type EventFrame, EventFrames } from "./eventFrames.ts";

/** Kinesis sends an event every few seconds, even without records. Java waits this long, too. */
const SILENCE_MS = 60_000;

/** Kinesis ended the subscription with an error. `name` is the name of that error. */
export class SubscriptionFailed extends Error {
  constructor(name: string, message: string) {
    super(message || "no reason given");
    this.name = name;
  }
}

export class Subscription {
  readonly #frames: EventFrames;
  readonly #calls: CallOptions;
  /** The service's clock at the time of its response. */
  readonly serviceTimeMs: number | undefined;

  private constructor(output: RawSubscribeToShardOutput, calls: CallOptions) {
    this.#frames = new EventFrames(output.body);
    this.#calls = calls;
    this.serviceTimeMs = output.serviceTimeMs;
  }

  static async open(
    calls: CallOptions,
    consumerArn: string,
    shardId: string,
    place: IteratorPlace,
    signal: AbortSignal,
  ): Promise<Subscription> {
    const input = {
      ConsumerARN: consumerArn,
      ShardId: shardId,
      StartingPosition: {
        Type: place.type,
        ...("sequenceNumber" in place && { SequenceNumber: place.sequenceNumber }),
        ...("timestamp" in place && { Timestamp: place.timestamp }),
      },
    };
    const output: unknown = await limited(calls, "SubscribeToShard", signal, (abortSignal) =>
      calls.client.send(new SubscribeToShardCommand(input), { abortSignal }),
    );
    const raw = output as RawSubscribeToShardOutput;
    widenWindow(raw.body);
    return new Subscription(raw, calls);
  }

  /**
   * The next event; `undefined` when Kinesis has ended the subscription.
   *
   * @throws SubscriptionFailed, InvalidResponse, or the connection's error.
   */
  async next(
    disaggregate: Disaggregate | undefined,
    signal: AbortSignal,
  ): Promise<SubscriptionEvent | undefined> {
    for (;;) {
      const frame = this.#frames.received() ?? (await this.#awaitFrame(signal));
      if (!frame) return undefined;
      const event = readFrame(frame, disaggregate);
      if (event) return event;
    }
  }

  /** Always call this at the end. */
  close(): void {
    this.#frames.close();
  }

  #awaitFrame(signal: AbortSignal): Promise<EventFrame | undefined> {
    const limit = { ...this.#calls, requestTimeoutMs: SILENCE_MS };
    const what = "SubscribeToShard (for an event)";
    return limited(limit, what, signal, (abortSignal) => this.#nextFrame(abortSignal));
  }

  async #nextFrame(signal: AbortSignal): Promise<EventFrame | undefined> {
    const close = () => this.#frames.close();
    signal.addEventListener("abort", close, { once: true });
    try {
      const frame = await this.#frames.next();
      signal.throwIfAborted();
      return frame;
    } finally {
      signal.removeEventListener("abort", close);
    }
  }
}

/** `undefined` for a frame without a record event, such as the initial response. */
function readFrame(
  { headers, payload }: EventFrame,
  disaggregate: Disaggregate | undefined,
): SubscriptionEvent | undefined {
  switch (headers.get(":message-type")) {
    case "event":
      return headers.get(":event-type") === "SubscribeToShardEvent"
        ? readSubscriptionEvent(payload, disaggregate)
        : undefined;
    case "exception":
      throw new SubscriptionFailed(
        headers.get(":exception-type") ?? "UnknownException",
        messageIn(payload),
      );
    case "error":
      throw new SubscriptionFailed(
        headers.get(":error-code") ?? "UnknownError",
        headers.get(":error-message") ?? messageIn(payload),
      );
    default:
      throw new InvalidResponse(
        `Kinesis sent an event stream with a message of the unknown type "${headers.get(":message-type")}".`,
      );
  }
}

function messageIn(payload: Buffer): string {
  const text = payload.toString("utf8");
  try {
    const { message, Message } = JSON.parse(text) as { message?: string; Message?: string };
    return message ?? Message ?? text;
  } catch {
    return text;
  }
}

/** Widens the window of the whole HTTP/2 connection: the subscription is its only stream. */
function widenWindow(body: RawSubscribeToShardOutput["body"]): void {
  if (!("session" in body)) return;
  const { session } = body as { session?: { setLocalWindowSize?(bytes: number): void } };
  session?.setLocalWindowSize?.(WINDOW_BYTES);
}
