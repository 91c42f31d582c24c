// Reads shards by enhanced fan-out: the service pushes what it has, at 2 MB a second for each consumer and shard.

import type { KinesisClient } from "@aws-sdk/client-kinesis";
import type { Clock } from "../../clock.ts";
import type { Emit } from "../../events.ts";
import type { InitialPosition } from "../../model/shard.ts";
import { BudgetWatch } from "../budget/budgetWatch.ts";
import type { ByteBudget } from "../budget/byteBudget.ts";
import type { StreamId } from "../calls/streamId.ts";
import { Troubles } from "../calls/troubles.ts";
import type { MisplacedOptions } from "../misplaced.ts";
import { readAhead } from "../readAhead.ts";
import type { ReadShard } from "../reader.ts";
import { FanoutUnavailable } from "./fanoutUnavailable.ts";
import { ConsumerRegistration } from "./registration.ts";
import type { FanoutSettings } from "./settings.ts";
import { ShardSubscriptions, type SubscriptionContext } from "./shardSubscriptions.ts";
import { Turnstile } from "./turnstile.ts";

export interface FanoutOptions extends MisplacedOptions {
  /** With `maxAttempts: 1`: what fails is tried again here. */
  readonly client: KinesisClient;
  /** From `subscriptionClient`. */
  readonly subscriptionClient: KinesisClient;
  readonly stream: StreamId;
  readonly initialPosition: InitialPosition;
  readonly settings: FanoutSettings;
  /** Shared by all shards of the daemon. */
  readonly budget: ByteBudget;
  readonly clock: Clock;
  readonly emit: Emit;
  /** The daemon's: ends the search for a consumer. */
  readonly signal: AbortSignal;
  /** Reads instead when fan-out is refused; absent: fan-out is tried until a person has mended it. */
  readonly polling?: ReadShard;
}

const REQUEST_TIMEOUT_MS = 30_000;
/** The service allows 5 a second for all workers of the application together. */
const SUBSCRIPTIONS_PER_SECOND = 4;

export function fanoutReader(options: FanoutOptions): ReadShard {
  const { client, subscriptionClient, clock, emit, polling, budget } = options;
  const troubles = new Troubles(emit, clock);
  const calls = { client, clock, requestTimeoutMs: REQUEST_TIMEOUT_MS };
  const context: SubscriptionContext = {
    ...options,
    calls,
    subscriptionCalls: { ...calls, client: subscriptionClient },
    registration: new ConsumerRegistration({ ...options, calls }),
    turnstile: new Turnstile(clock, SUBSCRIPTIONS_PER_SECOND),
    giveUp: polling !== undefined,
    troubles,
    budgetWatch: new BudgetWatch(budget, emit, clock),
  };
  const fanout = readAhead(budget, {
    inPieces: true,
    fetch: (shard, from, share, queue, signal) =>
      new ShardSubscriptions(context, shard, from, share, queue).run(signal),
    left: (shardId) => {
      troubles.forget(shardId);
      context.budgetWatch.forget(shardId);
    },
    clock,
  });
  return polling ? orPolling(fanout, polling, emit) : fanout;
}

/** Fan-out until it is refused before a shard's first event; from then on polling, for all that begin later too. */
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
