// The log lines of the daemon as a whole.

import { UserError } from "../../model/errors.ts";
import type { DaemonEvent } from "../../model/events/daemonEvent.ts";
import { counted } from "../../plural.ts";
import { type LinesOf, milliseconds, reason, seconds } from "./line.ts";

export const DAEMON_LINES: LinesOf<DaemonEvent> = {
  daemonStarted: [
    "info",
    (e) =>
      `kinesis-multilang ${e.version} started: application "${e.applicationName}" reads stream "${e.streamName}" as worker ${e.workerId}.`,
  ],
  statusServed: [
    "info",
    (e) =>
      e.address.startsWith("unix:")
        ? `The status is served at ${e.address}.`
        : `The status page is at http://${e.address}/`,
  ],
  logLevelChanged: [
    "info",
    (e) => `The log level${e.component ? ` of ${e.component}` : ""} is ${e.level} from now on.`,
  ],
  daemonReady: [
    "debug",
    () => "The daemon is ready: it has reached the stream and the lease table.",
  ],
  stopRequested: [
    "info",
    (e) => `Received ${e.reason}: the daemon stops within ${milliseconds(e.graceMs)}.`,
  ],
  graceExceeded: [
    "warn",
    (e) =>
      `The grace period of ${milliseconds(e.graceMs)} is nearly over: the daemon ends the children that have not finished. Their records since their last checkpoint are delivered again. If they need more time, raise shutdownGraceMillis.`,
  ],
  daemonFailed: [
    "error",
    (e) =>
      `Fatal error: ${fatal(e.error)} The other shards stop${e.graceMs === undefined ? "" : ` within ${milliseconds(e.graceMs)}`}, and then the daemon ends with exit code 1.`,
  ],
  applicationFailed: [
    "error",
    (e) =>
      `Fatal error: ${fatal(e.error)} The application stops${e.graceMs === undefined ? "" : ` within ${milliseconds(e.graceMs)}`}. The other applications continue, and the daemon ends with exit code 1 after them. Correct the cause and restart the daemon.`,
  ],
  daemonStopped: [
    (e) => (e.goodbyesMissed > 0 ? "warn" : "info"),
    (e) =>
      `The daemon stopped with exit code ${e.exitCode}.${
        e.goodbyesMissed > 0
          ? ` ${counted(e.goodbyesMissed, "child", "children")} failed while stopping; their records since their last checkpoint are delivered again. The "childFailed" lines above show the causes.`
          : ""
      }`,
  ],
  drainRequested: [
    "info",
    (e) => `Received ${e.reason}: the daemon releases all leases and takes no new ones.`,
  ],
  drained: [
    "info",
    () => "The daemon is drained: it holds no lease. Send SIGUSR2 again to resume.",
  ],
  resumed: ["info", (e) => `Received ${e.reason}: the daemon takes leases again.`],
  configWarning: ["warn", (e) => e.message],
  configNotice: ["info", (e) => e.message],
  waitingForStream: ["warn", (e) => `The daemon waits for the stream: ${e.message}`],
  eventLoopHeld: [
    "warn",
    (e) =>
      `The event loop was blocked for ${e.longestMs} ms (99th percentile of the last ${seconds(e.periodMs)}: ${e.p99Ms} ms): ${BLOCKED_MEANS[e.endangers]}. Give this process more CPU, or start another worker for part of its shards.`,
  ],
  metricsTrouble: [
    (e) => (e.attempt === 1 ? "warn" : "silent"),
    (e) =>
      `The daemon cannot publish metrics and drops them until it can. ${reason(e.error)} Allow cloudwatch:PutMetricData (kinesis-multilang iam-policy prints the whole policy), or set metricsLevel = NONE. Records are not affected.`,
  ],
  metricsRecovered: [
    "info",
    (e) => `Metrics are published again after ${counted(e.attempts, "failure")}.`,
  ],
  serviceTrouble: [
    "warn",
    (e) =>
      `${e.service} ${e.operation} failed (${e.attempt} in a row); the daemon retries in ${milliseconds(e.retryInMs)}. ${reason(e.error)}`,
  ],
  serviceRecovered: [
    "info",
    (e) => `${e.service} ${e.operation} works again after ${counted(e.attempts, "failure")}.`,
  ],
  credentialsRenewed: [
    "info",
    (e) =>
      `AWS refused the credentials (${e.why}). The daemon read them again from their source and uses the new ones.`,
  ],
  credentialsTrouble: [
    "warn",
    (e) =>
      `The daemon cannot renew its AWS credentials: ${reason(e.error)} ${
        e.validForMs > 0
          ? `The old ones are valid for another ${seconds(e.validForMs)}.`
          : "AWS refuses the old ones."
      } Renew the credentials at their source; the daemon uses new ones as soon as it finds them.`,
  ],
};

const BLOCKED_MEANS = {
  leases: "a lease renewal was late, and another such delay may cost this worker its leases",
  latency: "records reach the children later than necessary",
} as const;

/** What ends the daemon, and what to do about it. */
function fatal(error: unknown): string {
  if (error instanceof UserError) return error.message;
  if (error instanceof Error && CHILD_FAILURES.includes(error.name)) {
    const [what = ""] = error.message.split("\n", 1);
    return `${what} The "childFailed" line above has the details. Set onChildFailure = restart to replace the child instead.`;
  }
  return `${reason(error)} This is a bug in kinesis-multilang. Please report it with the stack trace at the end of the log.`;
}

/** Names of the errors that end the daemon only where onChildFailure says so. */
const CHILD_FAILURES: readonly string[] = ["ChildFailed", "ShardEndNotCheckpointed"];
