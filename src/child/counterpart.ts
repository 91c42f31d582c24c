// Whom we talk with: the child process that we started, or a processor that a person started and attached.

import type { ChildExit } from "./childFailed.ts";

export interface Counterpart {
  /** 0 when it is not ours and we cannot know. */
  readonly pid: number;
  readonly shardId: string;
  readonly argv: readonly string[];
  /** Where it is attached; absent when we started it. */
  readonly attachedTo?: string;
  /** Its end, all that it wrote having been heard. */
  readonly exited: Promise<ChildExit>;
  /** The end of its output, every line before it having been heard. */
  readonly stdoutEnded: Promise<void>;
  /** All that it has written, in bytes. */
  readonly writtenBytes: number;
  /** We closed its input or killed it. */
  readonly toldToEnd: boolean;
  /** Who takes its lines. */
  listen(hear: (line: string) => Promise<void> | void): void;
  /** Writes one line, given in pieces; rejects when nobody can read it any more. */
  write(pieces: readonly Buffer[]): Promise<void>;
  closeStdin(): void;
  /** Waits for its end, not much longer than `ms`. */
  exitsWithin(ms: number): Promise<boolean>;
  lastWords(): { readonly lastStdout: readonly string[]; readonly lastStderr: readonly string[] };
  stop(): Promise<void>;
  kill(): void;
}
