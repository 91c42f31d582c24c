// Connects a producer to Kinesis. Region and credentials are looked up at the first call, so that
// making a producer does no I/O.

import type { KinesisClient } from "@aws-sdk/client-kinesis";
import { kinesisClient } from "../aws/kinesisClient.ts";
import { awsOptions } from "../aws/options.ts";
import type { ServiceSettings } from "../config/settings.ts";
import type { Emit } from "../events.ts";
import { kinesisCalls, type StreamCalls } from "./streamCalls.ts";

export interface Connection {
  readonly callsOf: (streamName: string) => StreamCalls;
  /** @throws UserError when no region is found. */
  readonly check: () => Promise<void>;
  /** Breaks the calls in flight. */
  readonly destroy: () => void;
}

export interface ConnectOptions {
  readonly service: ServiceSettings;
  readonly requestTimeoutMs: number;
  readonly emit: Emit;
}

export function connect({ service, requestTimeoutMs, emit }: ConnectOptions): Connection {
  let client: Promise<KinesisClient> | undefined;
  const connected = async () => {
    const options = await awsOptions({ services: { kinesis: service } }, "kinesis", { emit });
    // The producer retries itself.
    return kinesisClient({ ...options, maxAttempts: 1, requestTimeoutMs });
  };
  const made = () => {
    client ??= connected().catch((error: unknown) => {
      client = undefined;
      throw error;
    });
    return client;
  };
  return {
    callsOf: (streamName) => {
      const calls = async () => kinesisCalls(await made(), streamName);
      return {
        put: async (envelopes) => (await calls()).put(envelopes),
        openShards: async () => (await calls()).openShards(),
        maxRecordBytes: async () => (await calls()).maxRecordBytes(),
      };
    },
    check: async () => {
      await made();
    },
    destroy: () => {
      client?.then(
        (each) => each.destroy(),
        () => {},
      );
    },
  };
}
