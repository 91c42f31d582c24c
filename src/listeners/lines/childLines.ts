// The log lines of child processes and of the conversation with them.

import type { ChildEvent } from "../../model/events/childEvent.ts";
import { counted } from "../../plural.ts";
import { type LinesOf, reason, seconds } from "./line.ts";

export const CHILD_LINES: LinesOf<ChildEvent> = {
  childStarted: ["info", (e) => `Started child ${e.pid}: ${e.argv.join(" ")}`],
  waitingForAttachment: [
    "info",
    (e) =>
      `The daemon waits for a processor${e.before > 0 ? `, after ${counted(e.before, "other shard")}, because one processor at a time can be attached` : ""}. Connect it to ${e.address}`,
  ],
  attached: ["info", (e) => `A processor has connected to ${e.address}. No timeout applies to it.`],
  detached: [
    (e) => (e.expected ? "info" : "warn"),
    (e) =>
      `The processor at ${e.address} has closed its connection${e.expected ? "" : ", which the daemon did not request"}.`,
  ],
  childOutput: [(e) => e.level ?? "info", (e) => `child ${e.pid} ${e.stream}: ${e.line}`],
  childLog: [(e) => e.level, (e) => `child ${e.pid}: ${e.message}`],
  protocolWarning: ["warn", (e) => `Child ${e.pid} deviates from the protocol: ${e.message}`],
  dialectChanged: [
    "warn",
    (e) =>
      e.sign === "checkpoint"
        ? `The child names the sequence number of a checkpoint "checkpoint", as clients of KCL 1.x do. ${DIALECT[e.to]}`
        : `The child failed at "${e.sign}", a message that its version of KCL may not have. ${DIALECT[e.to]}`,
  ],
  answerOwed: [
    "warn",
    (e) =>
      `Child ${e.pid} has not answered "${e.action}" for ${seconds(e.elapsedMs)}, and its shard waits. If the child hangs, end it with kill ${e.pid}: a new child then continues after the last checkpoint. Set timeoutInSeconds or progressTimeoutSeconds to let the daemon do this.`,
  ],
  checkpointTrouble: [
    "error",
    (e) => `The checkpoint of child ${e.pid} failed with an unexpected error. ${reason(e.error)}`,
  ],
  childExited: [
    (e) => (e.expected ? "info" : "warn"),
    (e) => `Child ${e.pid} ${exit(e)}${e.expected ? "" : ", which the daemon did not request"}.`,
  ],
  childOutputDropped: [
    "warn",
    (e) =>
      `Child ${e.pid} wrote ${counted(e.lines, "more line")} to ${e.stream}, too fast for the log. Reduce its output.`,
  ],
  watchdogEnded: [
    "warn",
    (e) =>
      `The watchdog process, which ends the children if the daemon is killed, has exited (${e.reason}). ${
        e.replaced
          ? "The daemon has started a new one."
          : "Children may now outlive a daemon that is killed: check for leftover processes after such a kill."
      }`,
  ],
};

const DIALECT = {
  kcl1: "From now on, children receive the last messages of KCL 1.x. Set childDialect = kcl1 to start with them, or childDialect = kcl2 if this is wrong.",
  kcl2: "From now on, children receive the last messages of KCL 2.x. Set childDialect = kcl2 to keep them.",
} as const;

function exit(event: { readonly exitCode?: number; readonly signal?: string }): string {
  return event.signal ? `was ended by ${event.signal}` : `exited with code ${event.exitCode}`;
}
