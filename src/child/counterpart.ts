// The other side of a conversation: a child process that the daemon started, or a processor that a
// user started and attached.

import type { ChildExit } from "./childFailed.ts";

export interface Counterpart {
  /** 0 when the daemon did not start the process, and so does not know its id. */
  readonly pid: number;
  readonly shardId: string;
  readonly argv: readonly string[];
  /** The address to which it connected; absent when the daemon started it. */
  readonly attachedTo?: string;
  /** Resolves when it has ended and all of its output has been processed. */
  readonly exited: Promise<ChildExit>;
  /** Resolves when its output has ended and every line has been processed. */
  readonly stdoutEnded: Promise<void>;
  /** Size of its output so far, in bytes. */
  readonly writtenBytes: number;
  /** The daemon has closed its input or killed it. */
  readonly endRequested: boolean;
  /** Sets the receiver of its lines. */
  onLine(receive: (line: string) => Promise<void> | void): void;
  /** Writes one line, given in pieces; rejects when the other side cannot read any more. */
  write(pieces: readonly Buffer[]): Promise<void>;
  closeStdin(): void;
  /** Waits for its end, for about `ms` milliseconds at most. @returns whether it has ended. */
  exitsWithin(ms: number): Promise<boolean>;
  /** Up to 50 lines of each stream, oldest first. */
  lastOutput(): { readonly lastStdout: readonly string[]; readonly lastStderr: readonly string[] };
  /** Ends it in steps that leave it time to finish. Resolves when it has ended. */
  stop(): Promise<void>;
  /** Ends it at once. */
  kill(): void;
}
