// Puts the parts together, each once, and runs them until a stop is requested or something fatal happens.

import { anySignal } from "../signals.ts";
import { dynamoClient } from "../aws/dynamoClient.ts";
import { kinesisClient } from "../aws/kinesisClient.ts";
import { awsOptions } from "../aws/options.ts";
import { AttachPoint } from "../child/attach/attach.ts";
import type { AttachAddress } from "../child/attach/attachAddress.ts";
import { ChildDialect } from "../child/dialect.ts";
import type { StartProcessor } from "../child/recordProcessor.ts";
import { startProcessor } from "../child/startProcessor.ts";
import { systemClock } from "../clock.ts";
import { checkExecutable } from "../config/executable.ts";
import type { LoadedSettings } from "../config/loadSettings.ts";
import { maskWords } from "../config/secrets.ts";
import type { Settings } from "../config/settings.ts";
import type { Emit } from "../events.ts";
import { Coordinator } from "../leases/coordinator.ts";
import { renewalIntervalMs } from "../leases/decisions/trust.ts";
import type { HeldLease } from "../leases/heldLease.ts";
import { fleetTables } from "../leases/kcl3/fleetTables.ts";
import type { TableOptions } from "../leases/table/dynamoSchema.ts";
import { dynamoLeaseTable } from "../leases/table/dynamoTable.ts";
import type { ShardFilter } from "../model/shard.ts";
import { VERSION } from "../package.ts";
import { StartTurns } from "../shard/startTurns.ts";
import { type SupervisedParts, superviseShard } from "../shard/supervisor.ts";
import { type OpenDestination, openDestination } from "../sinks/destination.ts";
import type { StreamId } from "../stream/calls/streamId.ts";
import { waitForStream } from "../stream/calls/waitForStream.ts";
import { listShards } from "../stream/listing/listShards.ts";
import type { Drain } from "./drain.ts";
import { watchLoop } from "./loopWatch.ts";
import { openReading } from "./reading.ts";

export interface DaemonContext {
  readonly emit: Emit;
  /** Wait for a stream that does not exist, instead of giving up. */
  readonly waitForStream: boolean;
  /** Where processors connect that a person starts; absent: children are started. */
  readonly attach?: AttachAddress;
  /** Finish in order: batches, goodbyes, leases. */
  readonly stop: AbortSignal;
  /** End now: children are killed, and leases released if that can be done at once. */
  readonly kill: AbortSignal;
  /** Gives up all leases, and takes them again. */
  readonly drain: Drain;
  /** Called at once when something fatal happens; `runDaemon` rejects with it when all has ended. */
  readonly failed: (error: unknown) => void;
}

/** How long a child may take to end when its STDIN is closed, and again when it got SIGTERM. */
const CLOSE_GRACE_MS = 2_000;
const TERMINATE_GRACE_MS = 1_000;

/** Returns when, and only when, all that it started has ended. Rejects with what was fatal. */
export async function runDaemon(loaded: LoadedSettings, context: DaemonContext): Promise<void> {
  const { settings } = loaded;
  const { emit, stop, kill } = context;
  if (!context.attach) checkExecutable(settings.command);
  const { applicationName, streamName, workerId } = settings;
  emit({ type: "daemonStarted", applicationName, streamName, workerId, version: VERSION });

  const attach = context.attach && (await AttachPoint.open(context.attach));
  const deadLetters = await openDeadLetters(settings, emit);
  const stream: StreamId = settings.streamArn
    ? { streamARN: settings.streamArn.arn }
    : { streamName };
  const reach = await awsOptions(settings, "kinesis", { emit });
  const kinesis = kinesisClient({ ...reach, maxAttempts: 1 });
  const dynamo = await dynamoClient(await awsOptions(settings, "dynamodb", { emit }));
  const reading = await openReading(loaded, { client: kinesis, reach, stream, emit, signal: stop });
  try {
    const calls = { client: kinesis, clock: systemClock, emit, signal: stop };
    if (context.waitForStream) await waitForStream(calls, stream);
    const dialect = new ChildDialect(settings.childDialect);
    const options = { ...processorOptions(settings, emit), dialect };
    const parts = {
      read: reading.read,
      startProcessor: killable(kill, startProcessor(options)),
      dialect,
      startTurns: new StartTurns(systemClock),
      settings: attach ? { ...settings, ...PATIENT } : settings,
      clock: systemClock,
      emit,
      random: Math.random,
      ...(deadLetters && {
        deadLetters: {
          destination: deadLetters,
          origin: { applicationName, streamName, workerId },
        },
      }),
    };
    // A loop that is held up for longer than lies between two renewals sleeps through one of them.
    const dangerMs = renewalIntervalMs(settings.failoverTimeMillis);
    const coordinatorParts = {
      table: dynamoLeaseTable(dynamo, tableOptions(settings), systemClock),
      fleet: fleetTables(dynamo, settings, VERSION),
      listShards: (filter: ShardFilter, signal: AbortSignal) =>
        listShards({ ...calls, signal }, stream, filter),
      streamIsThere: (signal: AbortSignal) =>
        listShards({ ...calls, signal }, stream, { type: "AT_LATEST" }),
      workerId,
      settings,
      clock: watchLoop(systemClock, { dangerMs, emit }),
      emit,
      consume: (lease: HeldLease) => consume(lease, parts, kill, attach),
      failed: context.failed,
      random: Math.random,
    };
    await context.drain.workUntil(stop, (pause) =>
      new Coordinator(coordinatorParts).run(pause, kill),
    );
  } finally {
    attach?.close();
    deadLetters?.close();
    reading.close();
    kinesis.destroy();
    dynamo.destroy();
  }
}

async function openDeadLetters(
  settings: Settings,
  emit: Emit,
): Promise<OpenDestination | undefined> {
  const { onFailureDestination: text } = settings;
  return text === undefined ? undefined : openDestination(text, { settings, emit });
}

/**
 * What breaks because we ended it ourselves is no failure.
 *
 * @param point where processors connect that a person starts, in place of children.
 */
async function consume(
  lease: HeldLease,
  parts: SupervisedParts,
  kill: AbortSignal,
  point: AttachPoint | undefined,
): Promise<void> {
  const { clock, emit, dialect } = parts;
  const { signal: over, release } = anySignal(lease.lost, lease.stopRequested, kill);
  const attached = point && {
    startProcessor: killable(kill, point.processors({ over, clock, emit, dialect })),
  };
  try {
    await superviseShard(lease, { ...parts, ...attached });
  } catch (error) {
    if (!kill.aborted) throw error;
  } finally {
    release();
  }
}

/** A debugger may end its processor as often as the person likes: that is no reason to give anything up. */
const PATIENT = {
  onChildFailure: "restart",
  maxChildRestarts: 1,
  childRestartWindowMillis: 1,
  maximumRetryAttempts: -1,
  maximumRecordAgeInSeconds: -1,
  bisectBatchOnFunctionError: false,
  progressTimeoutSeconds: undefined,
} as const;

/** Children end at once when the daemon must. */
function killable(kill: AbortSignal, start: StartProcessor): StartProcessor {
  return async (...request) => {
    kill.throwIfAborted();
    const processor = await start(...request);
    const end = () => processor.kill();
    kill.addEventListener("abort", end, { once: true });
    void processor.exited.finally(() => kill.removeEventListener("abort", end));
    if (kill.aborted) end();
    return processor;
  };
}

function processorOptions(settings: Settings, emit: Emit) {
  const { command, workerId, timeoutInSeconds, childEnv, passCredentials } = settings;
  return {
    command,
    shownArgv: maskWords([command.file, ...command.args]),
    inherit: { childEnv, passCredentials },
    workerId,
    ...(timeoutInSeconds === undefined ? {} : { timeoutMs: timeoutInSeconds * 1000 }),
    closeGraceMs: CLOSE_GRACE_MS,
    terminateGraceMs: TERMINATE_GRACE_MS,
    clock: systemClock,
    emit,
  };
}

function tableOptions(settings: Settings): TableOptions {
  const { leaseTableScanTotalSegments: scanSegments } = settings;
  return {
    tableName: settings.tableName,
    deletionProtection: settings.leaseTableDeletionProtectionEnabled,
    pointInTimeRecovery: settings.leaseTablePitrEnabled,
    ...(scanSegments !== undefined && { scanSegments }),
  };
}
