// Reads shards by enhanced fan-out: Kinesis pushes records, up to 2 MB per second, consumer and
// shard.

import type { KinesisClient } from "@aws-sdk/client-kinesis";
import type { Clock } from "../../clock.ts";
import type { Emit } from "../../events.ts";
import type { InitialPosition } from "../../model/shard.ts";
import { BudgetWatch } from "../budget/budgetWatch.ts";
import type { ByteBudget } from "../budget/byteBudget.ts";
import { FailureReports } from "../calls/failureReports.ts";
import type { StreamId } from "../calls/streamId.ts";
import type { MisplacedOptions } from "../misplaced.ts";
import { readAhead } from "../readAhead.ts";
import type { ReadShard } from "../reader.ts";
import { RateLimiter } from "./rateLimiter.ts";
import { ConsumerRegistration, type FanoutSettings, FanoutUnavailable } from "./registration.ts";
import { ShardSubscriptions, type SubscriptionContext } from "./shardSubscriptions.ts";

export interface FanoutOptions extends MisplacedOptions {
  /** Made with `maxAttempts: 1`: this reader retries itself. */
  readonly client: KinesisClient;
  /** From `subscriptionClient`. */
  readonly subscriptionClient: KinesisClient;
  readonly stream: StreamId;
  readonly initialPosition: InitialPosition;
  readonly settings: FanoutSettings;
  /** All shards of the daemon share it. */
  readonly budget: ByteBudget;
  readonly clock: Clock;
  readonly emit: Emit;
  /** The daemon's signal: ends the search for the consumer. */
  readonly signal: AbortSignal;
  /** Takes over when fan-out is refused. Absent: fan-out is retried until an operator has acted. */
  readonly polling?: ReadShard;
}

const REQUEST_TIMEOUT_MS = 30_000;
/** Kinesis allows 5 per second for all workers of the application together. */
const SUBSCRIPTIONS_PER_SECOND = 4;

export function fanoutReader(options: FanoutOptions): ReadShard {
  const { client, subscriptionClient, clock, emit, polling, budget } = options;
  const reports = new FailureReports(emit);
  const calls = { client, clock, requestTimeoutMs: REQUEST_TIMEOUT_MS };
  const context: SubscriptionContext = {
    ...options,
    calls,
    subscriptionCalls: { ...calls, client: subscriptionClient },
    registration: new ConsumerRegistration({ ...options, calls }),
    rateLimiter: new RateLimiter(clock, SUBSCRIPTIONS_PER_SECOND),
    giveUp: polling !== undefined,
    reports,
    budgetWatch: new BudgetWatch(budget, emit, clock),
  };
  const fanout = readAhead(budget, {
    inPieces: true,
    fetch: (shard, from, share, queue, signal) =>
      new ShardSubscriptions(context, shard, from, share, queue).run(signal),
    left: (shardId) => {
      reports.forget(shardId);
      context.budgetWatch.forget(shardId);
    },
    clock,
  });
  return polling ? orPolling(fanout, polling, emit) : fanout;
}

/**
 * Uses fan-out until it is refused before a shard's first event; from then on polls every shard.
 */
function orPolling(fanout: ReadShard, polling: ReadShard, emit: Emit): ReadShard {
  let refused = false;
  return async function* batches(shard, from, signal) {
    if (!refused) {
      try {
        yield* fanout(shard, from, signal);
        return;
      } catch (error) {
        if (!(error instanceof FanoutUnavailable)) throw error;
        if (!refused) emit({ type: "fanoutRefused", error });
        refused = true;
      }
    }
    yield* polling(shard, from, signal);
  };
}
