// What the daemon as a whole is doing, and why it is not ready: a reducer over the events of the
// daemon and of its services.

import type { Event } from "../../events.ts";
import { describe } from "../logLines.ts";

export type DaemonPhase =
  | "starting"
  | "waiting for the stream"
  | "working"
  | "draining"
  | "drained"
  | "stopping"
  | "stopped";

/** In these, a look at the leases is what was missing. */
const LOOKING: readonly DaemonPhase[] = ["starting", "waiting for the stream"];
/** One failure may be chance; from the second in a row on, the service counts as not reached. */
const FAILURES_TOLERATED = 1;
/** Operations that may fail at the same time: there are fewer, so this never matters. */
const TROUBLES_MAX = 50;

export class Readiness {
  #phase: DaemonPhase = "starting";
  #waitsFor = "";
  #failure: string | undefined;
  #credentials: string | undefined;
  /** By what recovers together: what its log line said. */
  readonly #troubles = new Map<string, string>();

  get phase(): DaemonPhase {
    return this.#phase;
  }

  /** Sentences, as the log has them; empty when the daemon is ready. */
  get reasons(): readonly string[] {
    return [
      ...(this.#failure ? [this.#failure] : []),
      ...(this.#credentials ? [this.#credentials] : []),
      ...this.#troubles.values(),
      ...(this.#phase === "working" ? [] : [this.#why()]),
    ];
  }

  saw(event: Event): void {
    switch (event.type) {
      case "waitingForStream":
        this.#waitsFor = event.message;
        this.#enter("waiting for the stream");
        break;
      case "leasesSeen":
        this.#credentials = undefined;
        if (LOOKING.includes(this.#phase)) this.#enter("working");
        break;
      case "drainRequested":
        this.#enter("draining");
        break;
      case "drained":
        this.#enter("drained");
        break;
      case "resumed":
        this.#enter("starting");
        break;
      case "daemonFailed":
      case "applicationFailed":
        this.#failure = firstLine(event);
        this.#phase = "stopping";
        break;
      case "stopRequested":
        this.#phase = "stopping";
        break;
      case "daemonStopped":
        this.#phase = "stopped";
        break;
      default:
        this.#sawService(event);
    }
  }

  #sawService(event: Event): void {
    switch (event.type) {
      case "credentialsTrouble":
        if (event.validForMs === 0) this.#credentials = firstLine(event);
        break;
      case "credentialsRenewed":
        this.#credentials = undefined;
        break;
      case "serviceTrouble": {
        // Of one shard: its records wait, and its row shows it. The daemon goes on.
        const isOfShard = event.shardId !== undefined && event.service === "kinesis";
        if (isOfShard || event.attempt <= FAILURES_TOLERATED) break;
        if (this.#troubles.size < TROUBLES_MAX) {
          this.#troubles.set(event.scope, firstLine(event));
        }
        break;
      }
      case "serviceRecovered":
        this.#credentials = undefined;
        this.#troubles.delete(event.scope);
        break;
    }
  }

  /** A daemon that is stopping stays so, whatever its parts report meanwhile. */
  #enter(phase: DaemonPhase): void {
    if (this.#phase !== "stopping" && this.#phase !== "stopped") this.#phase = phase;
  }

  #why(): string {
    switch (this.#phase) {
      case "starting":
        return "The daemon is starting: it has not looked at the leases yet.";
      case "waiting for the stream":
        return `The daemon waits for the stream: ${this.#waitsFor}`;
      case "draining":
        return "The daemon is draining: it releases its leases.";
      case "drained":
        return "The daemon is drained: it takes no leases until it is resumed.";
      default:
        return "The daemon is stopping.";
    }
  }
}

function firstLine(event: Event): string {
  return describe(event).message.split("\n", 1)[0] ?? "";
}
