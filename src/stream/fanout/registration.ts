// Finds or registers the consumer with which all workers of the application subscribe, once for all
// shards, when the first shard is read. The daemon never deregisters it, because another worker may
// be using it.
//
// Limits of Kinesis: 20 consumers per stream (50 in On-demand Advantage mode) and 5 registrations
// per second. Beyond both it returns LimitExceededException.

import {
  type Consumer,
  DescribeStreamConsumerCommand,
  DescribeStreamSummaryCommand,
  RegisterStreamConsumerCommand,
} from "@aws-sdk/client-kinesis";
import { limited } from "../../aws/limited.ts";
import type { Emit } from "../../events.ts";
import { counted } from "../../plural.ts";
import { retry } from "../../retry.ts";
import type { CallOptions } from "../calls/kinesisCalls.ts";
import { kindOfReadError } from "../calls/readErrors.ts";
import { namingStream, type StreamId, streamParameters } from "../calls/streamId.ts";

/** The properties of enhanced fan-out. Names and defaults are KCL's. */
export interface FanoutSettings {
  readonly consumerName: string;
  /** An existing consumer, used without looking it up. */
  readonly consumerArn?: string;
  readonly maxDescribeStreamSummaryRetries: number;
  /** Also the number of checks until a new consumer is ACTIVE. */
  readonly maxDescribeStreamConsumerRetries: number;
  readonly registerStreamConsumerRetries: number;
  readonly retryBackoffMillis: number;
}

/**
 * Enhanced fan-out is refused: a permission is missing, the stream has its maximum of consumers, or
 * the emulator does not support it. An operator can correct that, or the reader polls instead.
 */
export class FanoutUnavailable extends Error {
  override readonly name = "FanoutUnavailable";

  /** @param cause the service's error. */
  constructor(operation: string, cause: unknown) {
    const error = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
    super(
      `Kinesis refuses enhanced fan-out: ${operation} failed with ${error}. Allow kinesis:${operation} on the stream and its consumers, deregister an unused consumer, or set retrievalMode = POLLING (AUTO falls back to polling by itself).`,
      { cause },
    );
  }
}

export interface RegistrationParts {
  readonly calls: CallOptions;
  readonly stream: StreamId;
  readonly settings: FanoutSettings;
  readonly emit: Emit;
  /** The daemon's signal: ends the search. */
  readonly signal: AbortSignal;
}

/** An ARN with an account number that AWS does not assign. */
const EMULATED = /^arn:[^:]*:kinesis:[^:]*:000000000000:/;

/** Pauses are up to 10 % longer than `retryBackoffMillis`. */
const JITTER = 0.1;

export class ConsumerRegistration {
  readonly #parts: RegistrationParts;
  #found: Promise<string> | undefined;
  #reportedEmulator = false;

  constructor(parts: RegistrationParts) {
    this.#parts = parts;
  }

  /**
   * The ARN of the consumer when it is ACTIVE. After a failure the next call tries again.
   *
   * @param signal ends the caller's wait. The search continues, because other shards share it.
   * @throws FanoutUnavailable, the SDK's error, or the signal's reason.
   */
  arn(signal: AbortSignal): Promise<string> {
    this.#found ??= this.#findAndReport().catch((error: unknown) => {
      this.#found = undefined;
      throw error;
    });
    return orAborted(this.#found, signal);
  }

  /** The consumer was deregistered. */
  forget(): void {
    this.#found = undefined;
  }

  async #findAndReport(): Promise<string> {
    const arn = await this.#find();
    if (EMULATED.test(arn) && !this.#reportedEmulator) {
      this.#reportedEmulator = true;
      this.#parts.emit({ type: "fanoutEmulated", arn });
    }
    return arn;
  }

  async #find(): Promise<string> {
    const { consumerArn, consumerName, maxDescribeStreamConsumerRetries } = this.#parts.settings;
    if (consumerArn !== undefined) return consumerArn;
    const streamARN = await this.#streamArn();
    let registered = false;
    for (let check = 0; check <= maxDescribeStreamConsumerRetries; check += 1) {
      if (check > 0) await this.#pause();
      const consumer = await this.#describe(streamARN);
      if (consumer?.ConsumerStatus === "ACTIVE" && consumer.ConsumerARN) {
        const { ConsumerARN: arn } = consumer;
        this.#parts.emit({ type: "fanoutConsumerFound", consumerName, arn, registered });
        return arn;
      }
      if (!consumer) registered = await this.#register(streamARN);
    }
    throw new Error(
      `the enhanced fan-out consumer ${consumerName} is not ACTIVE after ${counted(maxDescribeStreamConsumerRetries + 1, "check")}`,
    );
  }

  async #streamArn(): Promise<string> {
    const { stream, settings, calls, signal } = this.#parts;
    if ("streamARN" in stream) return stream.streamARN;
    const { StreamDescriptionSummary: summary } = await this.#whileThrottled(
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
    if (!summary?.StreamARN)
      throw new Error("Kinesis sent a DescribeStreamSummary response without the stream's ARN");
    return summary.StreamARN;
  }

  /** `undefined` when the consumer does not exist. */
  async #describe(streamARN: string): Promise<Consumer | undefined> {
    const { settings, calls, signal } = this.#parts;
    const input = { StreamARN: streamARN, ConsumerName: settings.consumerName };
    try {
      const { ConsumerDescription: description } = await this.#whileThrottled(
        "DescribeStreamConsumer",
        settings.maxDescribeStreamConsumerRetries,
        () =>
          limited(calls, "DescribeStreamConsumer", signal, (abortSignal) =>
            calls.client.send(new DescribeStreamConsumerCommand(input), { abortSignal }),
          ),
      );
      return description;
    } catch (error) {
      if (kindOfReadError(error) === "notFound") return undefined;
      throw error;
    }
  }

  /** @returns false when another worker is registering it. */
  async #register(streamARN: string): Promise<boolean> {
    const { settings, calls, signal } = this.#parts;
    const input = { StreamARN: streamARN, ConsumerName: settings.consumerName };
    try {
      await this.#whileThrottled(
        "RegisterStreamConsumer",
        settings.registerStreamConsumerRetries,
        () =>
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

  /** Repeats a call that is throttled, as often as the configuration allows. */
  async #whileThrottled<T>(operation: string, retries: number, call: () => Promise<T>): Promise<T> {
    const { calls, settings, signal } = this.#parts;
    const longestMs = settings.retryBackoffMillis * (1 + JITTER);
    const done = await retry(
      async () => ({ result: await call() }),
      {
        clock: calls.clock,
        // Between retryBackoffMillis and 10 % more.
        backoff: { baseMs: longestMs, capMs: longestMs },
        random: () => 1 - (Math.random() * JITTER) / (1 + JITTER),
        mayPass: (error) => kindOfReadError(error) === "throttled",
        attempts: retries + 1,
      },
      signal,
    ).catch((error: unknown) => {
      throw isRefusal(operation, error) ? new FanoutUnavailable(operation, error) : error;
    });
    if (!done) throw signal.reason;
    return done.result;
  }

  async #pause(): Promise<void> {
    const { calls, settings, signal } = this.#parts;
    await calls.clock.sleep(settings.retryBackoffMillis * (1 + JITTER * Math.random()), signal);
    signal.throwIfAborted();
  }
}

/** A registration that stays throttled means that the stream has its maximum of consumers. */
function isRefusal(operation: string, error: unknown): boolean {
  const kind = kindOfReadError(error);
  const isFull = kind === "throttled" && operation === "RegisterStreamConsumer";
  return kind === "denied" || isFull || isUnsupported(error);
}

/** Sent by an emulator that does not support enhanced fan-out. */
function isUnsupported(error: unknown): boolean {
  return error instanceof Error && /^(UnknownOperation|NotImplemented)/.test(error.name);
}

/** Stops waiting when the signal is aborted. The work continues. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let onAbort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
