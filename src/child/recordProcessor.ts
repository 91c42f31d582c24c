// A record processor in another process: each call is one action, from the request line to the status line.

import type { RecordBatch } from "../model/batch.ts";
import type { Position } from "../model/position.ts";
import type { ChildExit } from "./childFailed.ts";

/** A child's wish to checkpoint: all fields null = at the end of what it was given. */
export interface CheckpointRequest {
  readonly sequenceNumber: string | null;
  readonly subSequenceNumber: number | null;
}

/**
 * Stores what the child asked for; a CheckpointError's name goes back to the child as `error`.
 *
 * It may also be called between two actions, when a child checkpoints late; then the request always names a
 * position, for the caller may already count the next batch as delivered.
 */
export type AnswerCheckpoint = (request: CheckpointRequest) => Promise<void>;

/** What can be observed of a child from outside. Comparing two of them shows activity in between. */
export interface Activity {
  /** Written to STDOUT and STDERR since its start. */
  readonly writtenBytes: number;
  /** CPU time of it and of all that it has started; `undefined` where the system does not report it. */
  readonly cpuMs: number | undefined;
  /** It has requested a checkpoint, and the daemon has not answered yet. */
  readonly waitsForDaemon: boolean;
}

/**
 * One child process. Calls are made one at a time. Every call rejects with a ChildFailed when the child exits,
 * closes a pipe, answers another action than it was asked, or (with a time limit) does not answer.
 */
export interface RecordProcessor {
  readonly pid: number;
  /**
   * Aborted as soon as the child fails, also between two calls, with the ChildFailed as its reason. Not aborted
   * when it ends because it was told to.
   */
  readonly failed: AbortSignal;
  /** How it ended: all that it wrote was read, and nothing of its process group is left. */
  readonly exited: Promise<ChildExit>;
  initialize(position: Position): Promise<void>;
  /** @param written called when the last byte is in the child's pipe. */
  processRecords(
    records: RecordBatch,
    millisBehindLatest: number | undefined,
    written?: () => void,
  ): Promise<void>;
  shutdownRequested(): Promise<void>;
  leaseLost(): Promise<void>;
  /** @returns the name of the message that it answered: dialects differ in it. */
  shardEnded(): Promise<string>;
  activity(): Promise<Activity>;
  /** Has the call under way, if there is one, reject with a ChildFailed `stuck`. `what` ends its sentence. */
  giveUp(what: string): void;
  /** Closes STDIN, waits, then SIGTERM, waits, then SIGKILL to the child's process group. Safe to call again. */
  stop(): Promise<void>;
  /** SIGKILL to the process group, now. */
  kill(): void;
}

/**
 * Starts a child for a shard. Rejects with a ChildFailed when it cannot be started.
 *
 * @param attempt 1 for the first child of this shard, then counting; the child finds it in its environment.
 */
export type StartProcessor = (
  shardId: string,
  answerCheckpoint: AnswerCheckpoint,
  attempt?: number,
) => Promise<RecordProcessor>;
