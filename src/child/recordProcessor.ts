// The port of a record processor in another process. Each call is one action, from the request line
// to the status line.

import type { RecordBatch } from "../model/batch.ts";
import type { Position } from "../model/position.ts";
import type { ChildExit } from "./childFailed.ts";

/** A child's request to checkpoint. All fields null: at the end of what was delivered to it. */
export interface CheckpointRequest {
  readonly sequenceNumber: string | null;
  readonly subSequenceNumber: number | null;
}

/**
 * Stores a requested checkpoint. The child receives the name of a CheckpointError as `error`.
 *
 * It may also be called between two actions, when a child checkpoints late. Such a request always
 * names a position, because the caller may already count the next batch as delivered.
 *
 * @throws CheckpointError when the checkpoint is not stored.
 */
export type AnswerCheckpoint = (request: CheckpointRequest) => Promise<void>;

/**
 * What can be observed of a child from outside. Comparing two of them shows activity in between.
 */
export interface Activity {
  /** Written to STDOUT and STDERR since its start. */
  readonly writtenBytes: number;
  /**
   * CPU time of it and of all that it has started; `undefined` where the system does not report it.
   */
  readonly cpuMs: number | undefined;
  /** It has requested a checkpoint, and the daemon has not answered yet. */
  readonly waitsForDaemon: boolean;
}

/**
 * One child process. The caller makes one call at a time. Every call rejects with a ChildFailed
 * when the child exits, closes a pipe, answers another action than the requested one, or exceeds a
 * time limit.
 */
export interface RecordProcessor {
  readonly pid: number;
  /**
   * Aborted as soon as the child fails, also between two calls, with the ChildFailed as its reason.
   * Not aborted when the daemon ends the child.
   */
  readonly failed: AbortSignal;
  /** Resolves when it has ended, its output is read, and no process of its group is left. */
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
  /** @returns the name of the message that the child answered, which depends on its dialect. */
  shardEnded(): Promise<string>;
  activity(): Promise<Activity>;
  /**
   * Fails the call under way, if there is one, with a ChildFailed `stuck`.
   *
   * @param what what happened: the end of a sentence whose subject is the child.
   */
  giveUp(what: string): void;
  /**
   * Closes STDIN, then sends SIGTERM, then SIGKILL to the process group. May be called repeatedly.
   */
  stop(): Promise<void>;
  /** Sends SIGKILL to the process group at once. */
  kill(): void;
}

/**
 * Starts a child for a shard. Rejects with a ChildFailed when it cannot be started.
 *
 * @param attempt 1 for the first child of this shard, 2 for the next; the child gets it in its
 * environment.
 * @param lane the child's lane, if several children share the shard.
 */
export type StartProcessor = (
  shardId: string,
  answerCheckpoint: AnswerCheckpoint,
  attempt?: number,
  lane?: number,
) => Promise<RecordProcessor>;
