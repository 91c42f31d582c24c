// Builds one application from its settings, each part once, and runs it until a stop is requested
// or a fatal error occurs. The parts that exist once per process come from host.ts.

import { awsOptions } from "../aws/options.ts";
import { AttachPoint } from "../child/attach/attach.ts";
import type { AttachAddress } from "../child/attach/attachAddress.ts";
import { ChildDialect } from "../child/dialect.ts";
import type { Watchdog } from "../child/process/watchdog.ts";
import type { StartProcessor } from "../child/recordProcessor.ts";
import { startProcessor } from "../child/startProcessor.ts";
import type { Clock } from "../clock.ts";
import { checkExecutable } from "../config/executable.ts";
import type { LoadedSettings } from "../config/loadSettings.ts";
import { maskWords } from "../config/secrets.ts";
import type { Settings } from "../config/settings.ts";
import type { Emit } from "../events.ts";
import { Coordinator } from "../leases/coordinator.ts";
import { renewalIntervalMs } from "../leases/decisions/trust.ts";
import type { HeldLease } from "../leases/heldLease.ts";
import { watchedTable } from "../leases/table/watchedTable.ts";
import { VERSION } from "../package.ts";
import type { LanedParts } from "../shard/lanes/lanes.ts";
import { superviseLanes } from "../shard/lanes/superviseLanes.ts";
import type { RestartRequests } from "../shard/restartRequests.ts";
import type { StartTurns } from "../shard/startTurns.ts";
import { superviseShard } from "../shard/supervisor.ts";
import { anySignal } from "../signals.ts";
import { type OpenDestination, openDestination } from "../sinks/openDestination.ts";
import type { ByteBudget } from "../stream/budget/byteBudget.ts";
import type { Drain } from "./drain.ts";
import { openLeaseStore } from "./leaseStore.ts";
import { watchLoop } from "./loopWatch.ts";
import { openReading, type Reading } from "./reading.ts";
import type { Sampling } from "./sampling.ts";
import { type OpenStream, openStreams } from "./streams.ts";

export interface ApplicationContext {
  readonly emit: Emit;
  /** Wait for a stream that does not exist, instead of failing. */
  readonly waitForStream: boolean;
  /** Where the user's own processors connect; absent: the daemon starts children. */
  readonly attach?: AttachAddress;
  /** Requests an orderly stop: the batches under way, the endings of the children, the leases. */
  readonly stop: AbortSignal;
  /** Ends everything now: children are killed, and leases released if that is possible at once. */
  readonly kill: AbortSignal;
  /** Present when somebody observes the daemon. */
  readonly sampling?: Sampling;
  /** Releases all leases on request, and takes them again. */
  readonly drain: Drain;
  /** Replaces children on request. */
  readonly restarts: RestartRequests;
  /**
   * Called at once with a fatal error. `runApplication` rejects with it when everything has ended.
   */
  readonly failed: (error: unknown) => void;
}

/** What exists once per process, however many applications run in it. */
export interface ProcessParts {
  readonly clock: Clock;
  /** Limits how many children start at the same time, because they share the machine's CPUs. */
  readonly startTurns: StartTurns;
  /** Ends all children if the process is killed. */
  readonly watchdog: Watchdog;
  /** Limits the records that all shards have in memory. */
  readonly budget: ByteBudget;
  /** How long a child may take to exit after its STDIN was closed, in milliseconds. */
  readonly closeGraceMs: number;
  /** How long it may take to exit after SIGTERM, in milliseconds. */
  readonly terminateGraceMs: number;
}

/**
 * Returns when, and only when, everything that it has started has ended.
 *
 * @throws the error that ended the application.
 */
export async function runApplication(
  loaded: LoadedSettings,
  context: ApplicationContext,
  shared: ProcessParts,
): Promise<void> {
  const { settings } = loaded;
  const { emit, stop } = context;
  const { clock, budget } = shared;
  if (!context.attach) checkExecutable(settings.command);
  const { applicationName, streamName, workerId } = settings;
  emit({ type: "daemonStarted", applicationName, streamName, workerId, version: VERSION });

  const attach = context.attach && (await AttachPoint.open(context.attach));
  const deadLetters = await openDeadLetters(settings, emit);
  let streams: readonly OpenStream[] = [];
  try {
    const reach = await awsOptions(settings, "kinesis", { emit });
    const { waitForStream } = context;
    streams = await openStreams(settings, { reach, clock, emit, signal: stop, waitForStream });
    if (streams.length === 0) return;
    const reading = await openReading(loaded, { reach, streams, budget, emit, signal: stop });
    try {
      await work(loaded, context, shared, { attach, deadLetters, streams, reading });
    } finally {
      reading.close();
    }
  } finally {
    attach?.close();
    deadLetters?.close();
    for (const stream of streams) stream.close();
  }
}

/** What an application has opened to work with. */
interface Opened {
  readonly attach: AttachPoint | undefined;
  readonly deadLetters: OpenDestination | undefined;
  readonly streams: readonly OpenStream[];
  readonly reading: Reading;
}

async function work(
  { settings }: LoadedSettings,
  context: ApplicationContext,
  shared: ProcessParts,
  { attach, deadLetters, streams, reading }: Opened,
): Promise<void> {
  const { emit, stop, kill, sampling } = context;
  const { clock, startTurns, budget } = shared;
  const { applicationName, streamName, workerId } = settings;
  const over = new AbortController();
  const sampled = sampling?.run(budget, emit, clock, over.signal);
  try {
    const dialect = new ChildDialect(settings.childDialect);
    const options = { ...processorOptions(settings, emit), ...shared, dialect };
    const parts = {
      read: reading.read,
      startProcessor: killable(kill, startProcessor(options)),
      dialect,
      startTurns,
      settings: attach ? { ...settings, ...WHILE_DEBUGGED } : settings,
      clock,
      emit,
      random: Math.random,
      restarts: context.restarts,
      ...(deadLetters && {
        deadLetters: {
          destination: deadLetters,
          origin: { applicationName, streamName, workerId },
        },
      }),
    };
    // An event loop that is blocked for the interval between two renewals misses one of them.
    const dangerMs = renewalIntervalMs(settings.failoverTimeMillis);
    const coordinatorParts = {
      streams,
      streamIsThere: (signal: AbortSignal) =>
        Promise.all(streams.map((stream) => stream.listShards({ type: "AT_LATEST" }, signal))),
      workerId,
      settings,
      clock: watchLoop(clock, {
        dangerMs,
        emit,
        ...(sampling && { late: (ms) => sampling.late(ms) }),
      }),
      consume: (lease: HeldLease) => consume(lease, parts, kill, attach),
      failed: context.failed,
      random: Math.random,
    };
    // Opened for each period of work, so that a drained daemon leaves a lease directory to others.
    await context.drain.workUntil(stop, async (pause) => {
      const { close, ...store } = await openLeaseStore(settings, clock, emit);
      try {
        const table = watchedTable(store.table, emit, clock);
        await new Coordinator({ ...coordinatorParts, ...store, table }).run(pause, kill);
      } finally {
        await close();
      }
    });
  } finally {
    over.abort();
    await sampled;
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
 * Consumes one shard. After a kill, errors are consequences of the kill and are ignored.
 *
 * @param point where the user's own processors connect; absent: the daemon starts children.
 */
async function consume(
  lease: HeldLease,
  parts: LanedParts,
  kill: AbortSignal,
  point: AttachPoint | undefined,
): Promise<void> {
  const { clock, emit, dialect } = parts;
  const { signal: over, release } = anySignal(lease.lost, lease.stopRequested, kill);
  const attached = point && {
    startProcessor: killable(kill, point.processors({ over, clock, emit, dialect })),
  };
  try {
    const supervise = parts.settings.parallelizationFactor === 1 ? superviseShard : superviseLanes;
    await supervise(lease, { ...parts, ...attached });
  } catch (error) {
    if (!kill.aborted) throw error;
  } finally {
    release();
  }
}

/**
 * While a user debugs a processor it may end at any time: no failure releases or skips anything.
 */
const WHILE_DEBUGGED = {
  // One processor at a time is attached, so it gets the whole shard.
  parallelizationFactor: 1,
  onChildFailure: "restart",
  maxChildRestarts: 1,
  childRestartWindowMillis: 1,
  maximumRetryAttempts: -1,
  maximumRecordAgeInSeconds: -1,
  bisectBatchOnFunctionError: false,
  progressTimeoutSeconds: undefined,
} as const;

/** Starts children that are killed when the signal is aborted. */
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
  const { command, workerId, timeoutInSeconds, childEnv, passCredentials, streamName } = settings;
  return {
    command,
    shownArgv: maskWords([command.file, ...command.args]),
    inherit: { childEnv, passCredentials },
    workerId,
    streamName,
    ...(timeoutInSeconds === undefined ? {} : { timeoutMs: timeoutInSeconds * 1000 }),
    emit,
  };
}
