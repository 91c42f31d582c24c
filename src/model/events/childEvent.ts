// Events of child processes and of the conversation with them.

export type ChildEvent =
  | {
      readonly type: "childStarted";
      readonly shardId: string;
      readonly pid: number;
      readonly argv: readonly string[];
    }
  /** The daemon starts no child. It waits for the user's processor to connect to this address. */
  | {
      readonly type: "waitingForAttachment";
      readonly shardId: string;
      readonly address: string;
      /** Shards that are served before this one, because one processor at a time is attached. */
      readonly before: number;
    }
  | { readonly type: "attached"; readonly shardId: string; readonly address: string }
  | {
      readonly type: "detached";
      readonly shardId: string;
      readonly address: string;
      /** Whether the daemon had ended it. */
      readonly expected: boolean;
    }
  /** A line on the child's STDERR, or a line on its STDOUT that is not a message. */
  | {
      readonly type: "childOutput";
      readonly shardId: string;
      readonly pid: number;
      readonly stream: "stdout" | "stderr";
      readonly line: string;
      /** As the child's own logger wrote it; absent on STDOUT. */
      readonly level?: "trace" | "debug" | "info" | "warn" | "error";
    }
  /** A `log` message of the child, an extension of Java's protocol. */
  | {
      readonly type: "childLog";
      readonly shardId: string;
      readonly pid: number;
      readonly level: "debug" | "info" | "warn" | "error";
      readonly message: string;
    }
  /** The child has not answered for a minute. Repeated whenever the wait has doubled. */
  | {
      readonly type: "answerOwed";
      readonly shardId: string;
      readonly pid: number;
      readonly action: string;
      readonly elapsedMs: number;
    }
  /** A harmless violation of the protocol. Reported once per kind and child. */
  | {
      readonly type: "protocolWarning";
      readonly shardId: string;
      readonly pid: number;
      readonly message: string;
    }
  /**
   * All children of the application receive other messages at their end, because a child failed at
   * a message that its version of KCL may not have (`sign` is the name of the message), or wrote a
   * checkpoint as clients of KCL 1.x do (`sign` is "checkpoint").
   */
  | {
      readonly type: "dialectChanged";
      readonly shardId: string;
      readonly to: "kcl2" | "kcl1";
      readonly sign: string;
    }
  /**
   * A checkpoint failed with an unknown error. The child gets KinesisClientLibDependencyException.
   */
  | {
      readonly type: "checkpointTrouble";
      readonly shardId: string;
      readonly pid: number;
      readonly error: unknown;
    }
  | {
      readonly type: "childExited";
      readonly shardId: string;
      readonly pid: number;
      readonly exitCode?: number;
      readonly signal?: string;
      /** Whether the daemon had closed its STDIN or killed it. */
      readonly expected: boolean;
    }
  /**
   * Lines that were not logged because the child wrote too fast. An error still has the last ones.
   */
  | {
      readonly type: "childOutputDropped";
      readonly shardId: string;
      readonly pid: number;
      readonly stream: "stdout" | "stderr";
      readonly lines: number;
    }
  /** The process has ended that would end the children if the daemon was killed. */
  | { readonly type: "watchdogEnded"; readonly reason: string; readonly replaced: boolean };
