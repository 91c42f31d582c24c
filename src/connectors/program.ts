// The record processor that the daemon starts for each shard of a connector. Its argument is the
// connector's input as JSON: the properties file and the flags of the command line.

import { kcl } from "#client";
import { systemClock } from "../clock.ts";
import type { ConnectorInput } from "../config/connector/loadConnector.ts";
import { UserError } from "../model/errors.ts";
import { openDestination } from "../sinks/openDestination.ts";
import { deadLetters } from "./deadLetters.ts";
import { Delivery } from "./deliver.ts";
import { withConnector } from "./openConnector.ts";
import type { Item, Log } from "./pipeline.ts";
import { ShardConnector } from "./shardConnector.ts";

/** The longest first wait after a failure. `backoffInterval` is the longest at all. */
const FIRST_BACKOFF_MS = 500;

let connector: ShardConnector<Item> | undefined;

function started(): ShardConnector<Item> {
  if (!connector) throw new Error("a message came before initialize");
  return connector;
}

const driver = kcl({
  async initialize({ shardId }) {
    connector = await open(shardId);
  },
  processRecords: (input) => started().processRecords(input.records, input),
  shardEnded: (input) => started().shardEnded(input),
  shutdownRequested: (input) => started().shutdownRequested(input),
  leaseLost: () => started().leaseLost(),
});
const log: Log = (level, message) => void driver.log(level, message);
await driver.run();

async function open(shardId: string): Promise<ShardConnector<Item>> {
  const { loadConnector } = await import("../config/connector/loadConnector.ts");
  const loaded = loadConnector(inputOf(process.argv[2]), ["connector"]);
  const { settings } = loaded.daemon;
  const { onFailureDestination: place, applicationName, streamName } = settings;
  const { KINESIS_MULTILANG_WORKER_ID: workerId = settings.workerId } = process.env;
  const sink =
    place === undefined ? undefined : await openDestination(place, { settings, emit: () => {} });
  const clock = systemClock;
  const origin = { applicationName, streamName, workerId };
  return withConnector(loaded, (parts) => {
    const delivery = new Delivery({
      emitter: parts.emitter,
      deadLetters: deadLetters({ sink, origin, clock, log }),
      clock,
      random: Math.random,
      log,
      backoff: { baseMs: FIRST_BACKOFF_MS, capMs: loaded.values.backoffInterval },
      retryLimit: loaded.values.retryLimit,
    });
    return new ShardConnector(shardId, { ...parts, delivery, clock });
  });
}

function inputOf(argument: string | undefined): ConnectorInput {
  if (argument === undefined) throw new UserError("connect starts this program; it is no command");
  return JSON.parse(argument) as ConnectorInput;
}
