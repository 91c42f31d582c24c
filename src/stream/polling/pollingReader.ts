// Reads shards by polling, with GetRecords.

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
import { HotShards } from "./hotShards.ts";
import type { PollingSettings } from "./pollingPace.ts";
import { RecordSizes } from "./recordSizes.ts";
import { type FetchContext, ShardFetch } from "./shardFetch.ts";
import { WaitingRoom } from "./waitingRoom.ts";

export interface PollingOptions extends MisplacedOptions {
  /** Made with `maxAttempts: 1`: this reader retries itself and reports failures per shard. */
  readonly client: KinesisClient;
  readonly stream: StreamId;
  /** Contains the time of AT_TIMESTAMP, which positions lack. */
  readonly initialPosition: InitialPosition;
  readonly settings: PollingSettings;
  /** All shards of the daemon share it. */
  readonly budget: ByteBudget;
  readonly clock: Clock;
  readonly emit: Emit;
}

const REQUEST_TIMEOUT_MS = 30_000;

export function pollingReader(options: PollingOptions): ReadShard {
  const { client, clock, emit, settings } = options;
  const context: FetchContext = {
    ...options,
    calls: { client, clock, requestTimeoutMs: settings.requestTimeoutMs ?? REQUEST_TIMEOUT_MS },
    reports: new FailureReports(emit),
    waitingRoom: new WaitingRoom(clock),
    sizes: new RecordSizes(),
    hotShards: new HotShards(),
    budgetWatch: new BudgetWatch(options.budget, emit, clock),
  };

  return readAhead(options.budget, {
    inPieces: false,
    fetch: (shard, from, share, queue, signal) =>
      new ShardFetch(context, shard, from, share, queue).run(signal),
    left: (shardId) => {
      context.reports.forget(shardId);
      context.budgetWatch.forget(shardId);
      context.hotShards.forget(shardId);
    },
    clock,
  });
}
