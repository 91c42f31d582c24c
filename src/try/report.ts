// The output of a trial: a line for each event that matters, and a summary.

import type { Event } from "../events.ts";
import type { Position } from "../model/position.ts";
import { counted } from "../plural.ts";
import { quantile, type ShardTally, type Tally } from "./tally.ts";
import type { ShardOutcome, TrialOutcome } from "./trial.ts";

/** The line of an event; `undefined` for events that are not shown. */
export function eventLine(event: Event): string | undefined {
  switch (event.type) {
    case "childStarted":
      return `${event.shardId}  started ${event.argv.join(" ")} (pid ${event.pid})`;
    case "waitingForAttachment":
      return `${event.shardId}  waiting for a processor to connect to ${event.address}`;
    case "attached":
      return `${event.shardId}  attached`;
    case "detached":
      return `${event.shardId}  detached`;
    case "fetched":
      return `${event.shardId}  > ${counted(event.records, "record")}, ${counted(event.bytes, "byte")}`;
    case "batchProcessed":
      return `${event.shardId}  < done in ${milliseconds(event.elapsedMs)}`;
    case "checkpointed":
      return `${event.shardId}    checkpoint ${short(event.position)}`;
    case "checkpointRefused":
      return `${event.shardId}    checkpoint refused: ${event.error} (${event.message})`;
    case "childLog":
      return `${event.shardId}    ${event.level}: ${event.message}`;
    case "childOutput":
      return event.stream === "stderr"
        ? `${event.shardId}    | ${event.line}`
        : `${event.shardId}    on STDOUT, not a message: ${event.line}`;
    case "protocolWarning":
      return `${event.shardId}    warning: ${event.message}`;
    case "shardStopped":
      return `${event.shardId}  ${event.reason}`;
    case "childExited":
      return `${event.shardId}  exited with ${event.signal ?? event.exitCode}`;
    default:
      return undefined;
  }
}

/** Whether no shard failed and every record was delivered and checkpointed. */
export function isComplete(tally: Tally, { shards, readAll }: TrialOutcome): boolean {
  const waiting = [...tally.shards.values()].some(
    ({ uncheckpointed }) => uncheckpointed.length > 0,
  );
  return (
    readAll && !waiting && shards.every(({ error, left }) => error === undefined && left === 0)
  );
}

export function summary(tally: Tally, { shards, readAll }: TrialOutcome): string {
  const { batchMs } = tally;
  const done = inBatches(
    sum(tally, ({ records }) => records),
    batchMs.length,
  );
  const times =
    batchMs.length === 0
      ? ""
      : `; a batch took ${milliseconds(quantile(batchMs, 0.5))} (median), ${milliseconds(quantile(batchMs, 1))} at most`;
  const lines = shards.map((shard) => shardLine(shard, tally.shards.get(shard.shardId)));
  const rest = readAll ? [] : ["The trial ended before all records were read."];
  return [`${done}${times}`, ...lines, ...rest].join("\n");
}

function shardLine({ shardId, stored, left, error }: ShardOutcome, shard: ShardTally | undefined) {
  const { records = 0, batches = 0, uncheckpointed = [] } = shard ?? {};
  const [first] = uncheckpointed;
  const facts = [
    inBatches(records, batches),
    `last checkpoint ${short(stored)}`,
    ...(first ? [`${uncheckpointed.length} never checkpointed, from ${short(first)} on`] : []),
    ...(left > 0 ? [`${left} never delivered`] : []),
    ...(!first && left === 0 && error === undefined ? ["all checkpointed"] : []),
  ];
  const line = `${shardId}  ${facts.join(", ")}`;
  return error === undefined ? line : `${line}\n${indented(error)}`;
}

function inBatches(records: number, batches: number): string {
  return `${counted(records, "record")} in ${counted(batches, "batch", "batches")}`;
}

function indented(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/^/gm, "  ");
}

function sum(tally: Tally, of: (shard: ShardTally) => number): number {
  return [...tally.shards.values()].reduce((total, shard) => total + of(shard), 0);
}

function milliseconds(ms: number): string {
  return `${ms < 100 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

/** Sequence numbers differ only at their ends. */
function short({ sequenceNumber, subSequenceNumber }: Position): string {
  const number =
    sequenceNumber.length > 20
      ? `${sequenceNumber.slice(0, 4)}…${sequenceNumber.slice(-9)}`
      : sequenceNumber;
  return subSequenceNumber === 0 ? number : `${number}#${subSequenceNumber}`;
}
