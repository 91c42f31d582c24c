// The log lines of leases and of the coordination between workers.

import type { LeaseEvent, TakenHow } from "../../model/events/leaseEvent.ts";
import { formatPosition } from "../../model/position.ts";
import { counted } from "../../plural.ts";
import type { LinesOf } from "./line.ts";

export const LEASE_LINES: LinesOf<LeaseEvent> = {
  leaseTableCreated: ["info", (e) => `Created the lease table "${e.tableName}".`],
  leasesSeen: ["trace", (e) => `Read the lease table: ${counted(e.leases, "lease")}.`],
  leaseCreated: ["info", (e) => `Created the lease at ${formatPosition(e.checkpoint)}.`],
  leaseTaken: ["info", (e) => `Took the lease: ${TAKEN[e.how](e.from ?? "another worker")}.`],
  leaseRenewed: ["trace", () => "Renewed the lease."],
  leaseLost: ["warn", (e) => `Lost the lease: ${e.reason}`],
  leaseReleased: [
    "info",
    (e) => (e.to === undefined ? "Released the lease." : `Handed the lease over to ${e.to}.`),
  ],
  handoverRequested: [
    "info",
    (e) => `Worker ${e.to} requests the lease. The daemon hands it over after the current batch.`,
  ],
  leaseDeleted: ["info", (e) => `Deleted the lease: ${e.reason}`],
  leasesBeyondLimit: [
    "warn",
    (e) =>
      `No worker reads ${some(e.shardIds)}. This worker already holds as many leases as maxLeasesForWorker = ${e.maxLeasesForWorker} allows, and no other worker takes them. Raise maxLeasesForWorker, or start another worker.`,
  ],
  leaseBalance: [
    "trace",
    (e) =>
      `This worker holds ${e.held} of ${counted(e.leases, "lease")}, shared by ${counted(e.workers, "worker")}.`,
  ],
  leasesContradicted: ["error", (e) => e.message],
  otherStreamSeen: [
    "warn",
    (e) =>
      `The lease table has ${counted(e.leases, "lease")} of ${e.streamId}, which this application does not read. They stay as they are. If the stream is still to be read, add it to streamName: it continues at its checkpoints.`,
  ],
  shardsUnread: [
    "error",
    (e) =>
      `No worker reads the hash keys from ${e.fromHashKey} to ${e.toHashKey}, and the daemon could not create a lease for them. ${
        e.shardIds.length > 0
          ? `Look for a damaged or wrong row of ${e.shardIds.join(", ")} in the lease table and delete it. Then run kinesis-multilang checkpoints reset --shard ID --to trim-horizon, which creates the lease again. kinesis-multilang doctor shows what is wrong with the row.`
          : "The stream lists no open shard that has them. Check whether the stream is being resharded, created or deleted."
      }`,
  ],
  fleetModeChosen: ["info", (e) => `Coordination between workers: ${e.found}; ${conduct(e)}.`],
  discoveryChosen: [
    (e) => (e.by === "index" ? "info" : "warn"),
    (e) =>
      e.by === "index"
        ? "This worker finds the leases that are assigned to it by the table's index of lease owners."
        : `This worker finds the leases that are assigned to it by scans of the whole table, which cost more: ${e.why}`,
  ],
  shardsSynced: [
    "info",
    (e) =>
      `Compared the stream with the lease table: ${counted(e.shards, "shard")} listed, ${counted(e.created, "lease")} created.`,
  ],
};

const TAKEN = {
  unowned: () => "it had no owner",
  expired: (from) => `${from} had stopped renewing it`,
  stolen: (from) => `${from} had more leases than this worker`,
  handedOver: (from) => `${from} handed it over`,
  assigned: () => "the leader assigned it to this worker",
  resumed: () => "this worker owned it before",
} satisfies Record<TakenHow, (from: string) => string>;

function conduct({ version, led }: { readonly version: string; readonly led: boolean }): string {
  if (version === "2x") return "workers share the leases as in KCL 2.x";
  return led
    ? "the leader assigns the leases"
    : "no Java worker is alive, so the other workers share the leases until one returns";
}

const NAMES_SHOWN = 5;

/** The first names, and the number of the others. */
function some(names: readonly string[]): string {
  const shown = names.slice(0, NAMES_SHOWN).join(", ");
  return names.length > NAMES_SHOWN ? `${shown} and ${names.length - NAMES_SHOWN} more` : shown;
}
