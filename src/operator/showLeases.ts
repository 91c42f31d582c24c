// Prints the lease table once or repeatedly. On a terminal each new table replaces the last one;
// elsewhere each change is one line.

import { UserError } from "../model/errors.ts";
import { explainTable } from "./explainErrors.ts";
import { type Lag, measureLags } from "./lag.ts";
import { type LeaseLine, leaseLines, otherRows } from "./leaseLines.ts";
import { leaseJson, leaseLineText, leasesTable, legend, summary } from "./leasesText.ts";
import { everyOwnerSeen, type Observed, observe, RENEWAL_SHARE } from "./observe.ts";
import { leasesIn } from "./rowKinds.ts";
import { openTarget, type Target, type TargetOptions } from "./target.ts";

export interface LeasesRequest extends TargetOptions {
  /** How long to watch, in seconds; when absent, as long as a live worker may take to renew. */
  readonly observe?: number;
  readonly lag: boolean;
  readonly watch: boolean;
  /** Seconds between two reads of the table. */
  readonly interval: number;
  readonly wide: boolean;
  readonly json: boolean;
  readonly out: NodeJS.WriteStream;
  /** Prints explanations that are not part of the output. */
  readonly explain: (text: string) => void;
  /** Ends watching. */
  readonly signal: AbortSignal;
}

interface Seen {
  readonly lines: readonly LeaseLine[];
  readonly lags?: ReadonlyMap<string, Lag>;
  readonly notes: readonly string[];
}

/** @throws UserError when the table does not exist or cannot be read. */
export async function showLeases(request: LeasesRequest): Promise<void> {
  const target = await openTarget(request);
  try {
    if (request.lag && target.sources.length === 0) {
      throw new UserError(
        "--lag reads the stream, which only a properties file names: use -p FILE.",
      );
    }
    await (request.watch ? watchLeases(target, request) : showOnce(target, request));
  } catch (error) {
    if (!request.signal.aborted) throw explainTable(error);
  } finally {
    target.close();
  }
}

async function showOnce(target: Target, request: LeasesRequest): Promise<void> {
  const { observe: seconds, signal } = request;
  const forMs = seconds === undefined ? target.failoverTimeMillis * RENEWAL_SHARE : seconds * 1_000;
  const observed = await observe({ ...target, signal }, forMs, everyOwnerSeen);
  const seen = await see(observed, target, request);
  request.out.write(`${request.json ? json(seen, target, 2) : table(seen, target, request)}\n`);
}

async function watchLeases(target: Target, request: LeasesRequest): Promise<void> {
  const { signal, interval, out, json: asJson } = request;
  // A table on a terminal has its own explanations.
  if (!asJson && !out.isTTY) request.explain(legend().join("\n"));
  const { clock } = target;
  let observed: Observed | undefined;
  let before: ReadonlyMap<string, string> = new Map();
  while (!signal.aborted) {
    const options = { ...target, signal, ...(observed && { watch: observed.watch }) };
    observed = await observe(options, 0, () => true);
    const seen = await see(observed, target, request);
    if (asJson) out.write(`${json(seen, target)}\n`);
    else if (out.isTTY) out.write(`${HOME}${clipped(table(seen, target, request), out)}${REST}`);
    else before = writeChanges(seen, before, target, out);
    await clock.sleep(interval * 1_000, signal);
  }
}

async function see(observed: Observed, target: Target, request: LeasesRequest): Promise<Seen> {
  const { rows, watch } = observed;
  const lines = leaseLines(rows, watch, target.failoverTimeMillis);
  const leases = leasesIn(rows);
  const lags = request.lag && (await measureLags(leases, target.sources, request.signal));
  return { lines, notes: otherRows(rows), ...(lags && { lags }) };
}

function table(seen: Seen, { where }: Target, { wide }: LeasesRequest): string {
  return [`Leases in ${where}`, "", ...leasesTable({ ...seen, wide })].join("\n");
}

function json({ lines, lags, notes }: Seen, { rows, clock }: Target, indent?: number): string {
  const leases = lines.map((line) => leaseJson(line, lags?.get(line.shardId)));
  const time = new Date(clock.now()).toISOString();
  return JSON.stringify({ time, tableName: rows.tableName, leases, notes }, null, indent);
}

/** Prints a line for each lease that has changed. A new counter or lag alone is not a change. */
function writeChanges(
  seen: Seen,
  before: ReadonlyMap<string, string>,
  { clock }: Target,
  out: NodeJS.WriteStream,
): ReadonlyMap<string, string> {
  const time = new Date(clock.now()).toISOString();
  const now = new Map(
    seen.lines.map((line) => {
      const { shardId, state, owner, nextOwner, checkpoint } = line;
      return [shardId, JSON.stringify([state, owner, nextOwner, checkpoint])] as const;
    }),
  );
  for (const line of seen.lines) {
    if (before.get(line.shardId) === now.get(line.shardId)) continue;
    out.write(`${time} ${leaseLineText(line, seen.lags?.get(line.shardId))}\n`);
  }
  for (const shardId of before.keys()) {
    if (!now.has(shardId)) out.write(`${time} ${shardId} deleted\n`);
  }
  if (before.size === 0) out.write(`${time} ${summary(seen.lines)}\n`);
  return now;
}

/** Escape sequences: move to the upper left corner and clear the screen; clear the rest of it. */
const HOME = "\x1b[H\x1b[2J";
const REST = "\x1b[J";

function clipped(text: string, { columns = 80, rows = 24 }: NodeJS.WriteStream): string {
  const lines = text.split("\n").map((line) => line.slice(0, columns));
  const shown = lines.length < rows ? lines : [...lines.slice(0, rows - 2), "…"];
  return `${shown.join("\n")}\n`;
}
