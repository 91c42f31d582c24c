// Helpers for tests of enhanced fan-out: a reader of the emulator over HTTP/1.1 or the HTTP/2
// proxy.

import { inject } from "vitest";
import { subscriptionClient } from "../../src/aws/kinesisClient.ts";
import { systemClock } from "../../src/clock.ts";
import type { Event } from "../../src/events.ts";
import { LOCAL_CREDENTIALS, LOCAL_REGION } from "../../src/local/services.ts";
import type { InitialPosition } from "../../src/model/shard.ts";
import { ByteBudget } from "../../src/stream/budget/byteBudget.ts";
import { fanoutReader } from "../../src/stream/fanout/fanoutReader.ts";
import type { FanoutSettings } from "../../src/stream/fanout/registration.ts";
import { pollingReader } from "../../src/stream/polling/pollingReader.ts";
import type { ReadShard } from "../../src/stream/reader.ts";
import { localClient } from "./support.ts";

export interface FanoutReaderOptions {
  /** The endpoint of subscriptions. Absent: the shared emulator, over HTTP/1.1. */
  readonly subscriptions?: { readonly endpoint: string; readonly http2: boolean };
  /** The endpoint of all other calls. */
  readonly endpoint?: string;
  readonly auto?: boolean;
  readonly settings?: Partial<FanoutSettings>;
  readonly initialPosition?: InitialPosition;
}

/** A reader and the events that it has emitted so far. */
export function fanout(
  streamName: string,
  { subscriptions, endpoint, auto, settings, initialPosition }: FanoutReaderOptions = {},
): { readonly read: ReadShard; readonly events: Event[] } {
  const events: Event[] = [];
  const { endpoint: subscribeAt, http2 } = subscriptions ?? {
    endpoint: inject("kinesisUrl"),
    http2: false,
  };
  const common = {
    client: localClient(endpoint),
    stream: { streamName },
    initialPosition: initialPosition ?? ({ type: "TRIM_HORIZON" } as const),
    budget: new ByteBudget(64 * 1024 * 1024),
    clock: systemClock,
    aggregateHashRangeCheck: "drop" as const,
    keepsMisplaced: false,
    emit: (event: Event) => {
      events.push(event);
    },
  };
  const polling = pollingReader({
    ...common,
    settings: { maxRecords: 10_000, idleTimeBetweenReadsInMillis: undefined },
  });
  const reach = {
    endpoint: subscribeAt,
    region: LOCAL_REGION,
    credentials: LOCAL_CREDENTIALS,
    maxAttempts: 1,
  };
  const read = fanoutReader({
    ...common,
    subscriptionClient: subscriptionClient(reach, http2),
    settings: {
      consumerName: streamName,
      maxDescribeStreamSummaryRetries: 3,
      maxDescribeStreamConsumerRetries: 50,
      registerStreamConsumerRetries: 3,
      retryBackoffMillis: 20,
      ...settings,
    },
    signal: new AbortController().signal,
    ...(auto && { polling }),
  });
  return { read, events };
}
