// The consumer under whose name all workers of the application subscribe: found or registered when the first shard is
// read, once for all shards. It is never deregistered: another worker may be using it.
//
// Limits of the service: 20 consumers a stream (50 with the advantage mode), 5 registrations a second; both are refused
// with LimitExceededException.

import {
  type Consumer,
  DescribeStreamConsumerCommand,
  DescribeStreamSummaryCommand,
  RegisterStreamConsumerCommand,
} from "@aws-sdk/client-kinesis";
import { limited } from "../../aws/limited.ts";
import type { Emit } from "../../events.ts";
import { counted } from "../../plural.ts";
import type { CallOptions } from "../calls/kinesisCalls.ts";
import { kindOfTrouble } from "../calls/readErrors.ts";
import { namingStream, type StreamId, streamParameters } from "../calls/streamId.ts";
import { FanoutUnavailable } from "./fanoutUnavailable.ts";
import type { FanoutSettings } from "./settings.ts";

export interface RegistrationParts {
  readonly calls: CallOptions;
  readonly stream: StreamId;
  readonly settings: FanoutSettings;
  readonly emit: Emit;
  /** Ends the search for all shards: the daemon's. */
  readonly signal: AbortSignal;
}

/** An ARN with an account that AWS gives nobody. */
const EMULATED = /^arn:[^:]*:kinesis:[^:]*:000000000000:/;

export class ConsumerRegistration {
  readonly #parts: RegistrationParts;
  #found: Promise<string> | undefined;
  #toldOfEmulator = false;

  constructor(parts: RegistrationParts) {
    this.#parts = parts;
  }

  /**
   * The consumer's ARN, when it is ACTIVE. What failed is tried again by the next call.
   *
   * @throws FanoutUnavailable when it is not permitted, or the stream has its most consumers; what the SDK throws.
   */
  arn(): Promise<string> {
    this.#found ??= this.#look().catch((error: unknown) => {
      this.#found = undefined;
      throw error;
    });
    return this.#found;
  }

  /** The service does not know this consumer any more: somebody has deregistered it. */
  forget(): void {
    this.#found = undefined;
  }

  async #look(): Promise<string> {
    const arn = await this.#find();
    if (EMULATED.test(arn) && !this.#toldOfEmulator) {
      this.#toldOfEmulator = true;
      this.#parts.emit({ type: "fanoutEmulated", arn });
    }
    return arn;
  }

  async #find(): Promise<string> {
    const { consumerArn, consumerName, maxDescribeStreamConsumerRetries } = this.#parts.settings;
    if (consumerArn !== undefined) return consumerArn;
    const streamARN = await this.#streamArn();
    let registered = false;
    for (let look = 0; look <= maxDescribeStreamConsumerRetries; look += 1) {
      if (look > 0) await this.#pause();
      const consumer = await this.#describe(streamARN);
      if (consumer?.ConsumerStatus === "ACTIVE" && consumer.ConsumerARN) {
        const { ConsumerARN: arn } = consumer;
        this.#parts.emit({ type: "fanoutConsumerFound", consumerName, arn, registered });
        return arn;
      }
      if (!consumer) registered = await this.#register(streamARN);
    }
    throw new Error(
      `the enhanced fan-out consumer ${consumerName} is not ACTIVE after ${counted(maxDescribeStreamConsumerRetries + 1, "look")}`,
    );
  }

  async #streamArn(): Promise<string> {
    const { stream, settings, calls, signal } = this.#parts;
    if ("streamARN" in stream) return stream.streamARN;
    const { StreamDescriptionSummary: summary } = await this.#insist(
      "DescribeStreamSummary",
      settings.maxDescribeStreamSummaryRetries,
      () =>
        namingStream(stream, () =>
          limited(calls, "DescribeStreamSummary", signal, (abortSignal) =>
            calls.client.send(new DescribeStreamSummaryCommand(streamParameters(stream)), {
              abortSignal,
            }),
          ),
        ),
    );
    if (!summary?.StreamARN) throw new Error("DescribeStreamSummary named no stream ARN");
    return summary.StreamARN;
  }

  /** `undefined` when there is no such consumer. */
  async #describe(streamARN: string): Promise<Consumer | undefined> {
    const { settings, calls, signal } = this.#parts;
    const input = { StreamARN: streamARN, ConsumerName: settings.consumerName };
    try {
      const { ConsumerDescription: description } = await this.#insist(
        "DescribeStreamConsumer",
        settings.maxDescribeStreamConsumerRetries,
        () =>
          limited(calls, "DescribeStreamConsumer", signal, (abortSignal) =>
            calls.client.send(new DescribeStreamConsumerCommand(input), { abortSignal }),
          ),
      );
      return description;
    } catch (error) {
      if (kindOfTrouble(error) === "notFound") return undefined;
      throw error;
    }
  }

  /** @returns false when another worker is registering it. */
  async #register(streamARN: string): Promise<boolean> {
    const { settings, calls, signal } = this.#parts;
    const input = { StreamARN: streamARN, ConsumerName: settings.consumerName };
    try {
      await this.#insist("RegisterStreamConsumer", settings.registerStreamConsumerRetries, () =>
        limited(calls, "RegisterStreamConsumer", signal, (abortSignal) =>
          calls.client.send(new RegisterStreamConsumerCommand(input), { abortSignal }),
        ),
      );
      return true;
    } catch (error) {
      if (error instanceof Error && error.name === "ResourceInUseException") return false;
      throw error;
    }
  }

  /** Patience with limits alone, as often as the person allows. */
  async #insist<T>(operation: string, retries: number, call: () => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await call();
      } catch (error) {
        const kind = kindOfTrouble(error);
        if (kind === "denied" || isUnknown(error)) throw new FanoutUnavailable(operation, error);
        if (kind !== "throttled") throw error;
        if (attempt < retries) await this.#pause();
        else if (operation === "RegisterStreamConsumer")
          throw new FanoutUnavailable(operation, error);
        else throw error;
      }
    }
  }

  async #pause(): Promise<void> {
    const { calls, settings, signal } = this.#parts;
    await calls.clock.sleep(settings.retryBackoffMillis * (1 + 0.1 * Math.random()), signal);
    signal.throwIfAborted();
  }
}

/** Not the service itself, then, but an emulator that cannot do it. */
function isUnknown(error: unknown): boolean {
  return error instanceof Error && /^(UnknownOperation|NotImplemented)/.test(error.name);
}
