// A record processor in another process: each call is one action, from the request line to the status line.

import type { RecordBatch } from "../model/batch.ts";
import type { Position } from "../model/position.ts";

/** A child's wish to checkpoint: all fields absent = at the end of what it was given. */
export interface CheckpointRequest {
  readonly sequenceNumber: string | null;
  readonly subSequenceNumber: number | null;
}

/** Stores what the child asked for; a CheckpointError's name goes back to the child as `error`. */
export type AnswerCheckpoint = (request: CheckpointRequest) => Promise<void>;

/**
 * One child process. Calls are made one at a time. Every call rejects with a ChildFailed when the child exits,
 * closes a pipe, answers another action than it was asked, or (with a time limit) does not answer.
 */
export interface RecordProcessor {
  readonly pid: number;
  /** Aborted, with a ChildFailed as its reason, when the child ends without having been asked to. */
  readonly exited: AbortSignal;
  initialize(position: Position): Promise<void>;
  processRecords(records: RecordBatch, millisBehindLatest: number | undefined): Promise<void>;
  shutdownRequested(): Promise<void>;
  leaseLost(): Promise<void>;
  shardEnded(): Promise<void>;
  /** Closes STDIN, waits, then SIGTERM, waits, then SIGKILL to the child's process group. Safe to call again. */
  stop(): Promise<void>;
  /** SIGKILL to the process group, now. */
  kill(): void;
}

/** Starts a child for a shard. Rejects with a ChildFailed when it cannot be started. */
export type StartProcessor = (
  shardId: string,
  answerCheckpoint: AnswerCheckpoint,
) => Promise<RecordProcessor>;
