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

/** One failure may be chance; from the second in a row on, the service counts as not reached. */
const FAILURES_TOLERATED = 1;
/** Operations that may fail at the same time: there are fewer, so this never matters. */
const TROUBLES_MAX = 50;

export class Readiness {
  #phase: DaemonPhase = "starting";
  #waitsFor = "";
  #failure: string | undefined;
  #credentials: string | undefined;
  /** By operation: what its log line said. */
  readonly #troubles = new Map<string, string>();
  #isStopping = false;

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

  /** @returns whether the event was about the daemon as a whole. */
  saw(event: Event): boolean {
    return this.#sawDaemon(event) || this.#sawService(event);
  }

  #sawDaemon(event: Event): boolean {
    switch (event.type) {
      case "waitingForStream":
        this.#waitsFor = event.message;
        return this.#enter("waiting for the stream");
      case "leasesSeen":
        this.#credentials = undefined;
        return this.#phase === "starting" || this.#phase === "waiting for the stream"
          ? this.#enter("working")
          : false;
      case "drainRequested":
        return this.#enter("draining");
      case "drained":
        return this.#enter("drained");
      case "resumed":
        return this.#enter("starting");
      case "stopRequested":
        return this.#enter("stopping", true);
      case "daemonFailed":
        this.#failure = firstLine(event);
        return this.#enter("stopping", true);
      case "daemonStopped":
        this.#phase = "stopped";
        return true;
      default:
        return false;
    }
  }

  #sawService(event: Event): boolean {
    switch (event.type) {
      case "credentialsTrouble":
        if (event.validForMs > 0) return false;
        this.#credentials = firstLine(event);
        return true;
      case "credentialsRenewed":
        this.#credentials = undefined;
        return true;
      case "serviceTrouble":
        // Of one shard: its records wait, and its row shows it. The daemon goes on.
        if (event.shardId !== undefined && event.service === "kinesis") return false;
        if (event.attempt <= FAILURES_TOLERATED || this.#troubles.size >= TROUBLES_MAX)
          return false;
        this.#troubles.set(event.operation, firstLine(event));
        return true;
      case "serviceRecovered":
        this.#credentials = undefined;
        return this.#troubles.delete(event.operation);
      default:
        return false;
    }
  }

  /** A daemon that is stopping stays so, whatever its parts report meanwhile. */
  #enter(phase: DaemonPhase, isStop = false): boolean {
    this.#isStopping ||= isStop;
    if (!this.#isStopping || isStop) this.#phase = phase;
    return true;
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
