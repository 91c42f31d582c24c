// Events of the daemon as a whole: its start and end, its configuration and its services.

export type DaemonEvent =
  | {
      readonly type: "daemonStarted";
      readonly applicationName: string;
      readonly streamName: string;
      readonly workerId: string;
      readonly version: string;
    }
  /** The status page and its endpoints are served here. */
  | { readonly type: "statusServed"; readonly address: string }
  /** `component`: the part of the daemon whose level changed; absent: all parts. */
  | { readonly type: "logLevelChanged"; readonly level: string; readonly component?: string }
  /** The stream and the lease table were reached, and the worker has looked at the leases. */
  | { readonly type: "daemonReady" }
  | { readonly type: "stopRequested"; readonly reason: string; readonly graceMs: number }
  /** The grace period is nearly over. The daemon ends the children that have not finished. */
  | { readonly type: "graceExceeded"; readonly graceMs: number }
  /**
   * An error that ends the daemon. The other shards stop in order; `graceMs` absent: without limit.
   */
  | { readonly type: "daemonFailed"; readonly error: unknown; readonly graceMs?: number }
  /** An error that ends one application of several. The others continue. */
  | { readonly type: "applicationFailed"; readonly error: unknown; readonly graceMs?: number }
  | {
      readonly type: "daemonStopped";
      readonly exitCode: number;
      /** Children that failed while they were to stop. */
      readonly goodbyesMissed: number;
    }
  /** The daemon releases all leases in order, and takes none until it is resumed. */
  | { readonly type: "drainRequested"; readonly reason: string }
  | { readonly type: "drained" }
  | { readonly type: "resumed"; readonly reason: string }
  /** Something in the configuration that works, but perhaps not as the user expects. */
  | { readonly type: "configWarning"; readonly message: string }
  /** A fact about the configuration that needs no action. */
  | { readonly type: "configNotice"; readonly message: string }
  | { readonly type: "waitingForStream"; readonly message: string }
  /**
   * The event loop was blocked, which is measured by how late sleeps end: once for as long as the
   * interval between two renewals of a lease, or so often that it delays records. Reported at most
   * once a minute. The figures cover the time since the last report, or the last minute.
   */
  | {
      readonly type: "eventLoopHeld";
      readonly endangers: "leases" | "latency";
      readonly longestMs: number;
      readonly p99Ms: number;
      readonly periodMs: number;
    }
  /** Metrics were not published, and are dropped. Happens at each failure. */
  | {
      readonly type: "metricsTrouble";
      readonly error: unknown;
      /** Failures in a row, including this one. */
      readonly attempt: number;
      /** Values of metrics that were dropped. */
      readonly dropped: number;
    }
  /** Metrics are published again. */
  | { readonly type: "metricsRecovered"; readonly attempts: number }
  /** A service refused the credentials, and their source had newer ones. */
  | {
      readonly type: "credentialsRenewed";
      /** The name of the service's error. */
      readonly why: string;
    }
  /**
   * The source gave no new credentials, although the old ones expire soon or are refused
   * (`validForMs` 0).
   */
  | { readonly type: "credentialsTrouble"; readonly error: unknown; readonly validForMs: number }
  /** A call to a service failed; the daemon retries it. Happens at each failure. */
  | {
      readonly type: "serviceTrouble";
      readonly service: "kinesis" | "dynamodb" | "leaseStore";
      readonly operation: string;
      /** Failures of a service with the same scope are one streak, which one success ends. */
      readonly scope: string;
      readonly shardId?: string;
      readonly error: unknown;
      /** Only an operator can correct it. */
      readonly lasting: boolean;
      /** Failures in a row, including this one. */
      readonly attempt: number;
      readonly retryInMs: number;
    }
  | {
      readonly type: "serviceRecovered";
      readonly service: "kinesis" | "dynamodb" | "leaseStore";
      readonly operation: string;
      readonly scope: string;
      readonly shardId?: string;
      readonly attempts: number;
    };
