// Checks the limits of the services: reads of a shard, registered consumers of a stream, and writes
// to the lease table.

import { leaseDirectoryIn } from "../../config/leaseStore.ts";
import type { Settings } from "../../config/settings.ts";
import { counted } from "../../plural.ts";
import { type Finding, failed, notChecked, ok, warning } from "./finding.ts";
import type { TableCheck } from "./leaseTable.ts";
import type { StreamFacts } from "./stream.ts";

/** The most registered consumers of a stream. With on-demand advantage, the limit is 50. */
const MAX_CONSUMERS = 20;
/** How often a worker renews each lease within the failover time. */
const RENEWALS_PER_FAILOVER = 3;

export function checkConsumers({ retrieval }: Settings, facts: StreamFacts | undefined): Finding {
  const check = "consumer limit";
  if (retrieval === "POLLING") return ok(check, "polling needs no registered consumer");
  const count = facts?.summary?.ConsumerCount;
  if (count === undefined)
    return notChecked(check, "the number of registered consumers is not known");
  const message = `${counted(count, "consumer")} registered; a stream may have ${MAX_CONSUMERS}`;
  if (count < MAX_CONSUMERS) return ok(check, message);
  return (retrieval === "AUTO" ? warning : failed)(
    check,
    `${message} (50 with on-demand advantage). If the consumer of this application is not among them, the daemon cannot register it`,
    "Deregister a consumer that is no longer used, or set retrievalMode = POLLING.",
  );
}

export function checkThroughput(
  settings: Settings,
  facts: StreamFacts | undefined,
  { description, unfinished }: TableCheck,
): readonly Finding[] {
  const open =
    facts?.summary?.OpenShardCount ??
    facts?.shards?.filter(({ endingSequenceNumber }) => endingSequenceNumber === undefined).length;
  return [
    reading(settings, open),
    leases(settings, open, unfinished),
    leaseDirectoryIn(settings.leaseStore) === undefined
      ? capacity(settings, Math.max(unfinished ?? 0, open ?? 0), description)
      : [],
  ].flat();
}

function reading({ retrieval }: Settings, open: number | undefined): Finding {
  const check = "read limit";
  if (open === undefined) return notChecked(check, "the number of open shards is not known");
  const writes = `${counted(open, "open shard")}. Producers can write ${open} MB/s in all`;
  const reads =
    retrieval === "POLLING"
      ? "all polling consumers of a shard share 2 MB/s and 5 reads a second"
      : "each registered consumer can read 2 MB/s from each shard";
  return ok(check, `${writes}; ${reads}`);
}

function leases(
  { maxLeasesForWorker: max }: Settings,
  open: number | undefined,
  unfinished: number | undefined,
): readonly Finding[] {
  const count = Math.max(open ?? 0, unfinished ?? 0);
  if (count <= max) return [];
  const workers = Math.ceil(count / max);
  return [
    warning(
      "lease limit",
      `${counted(count, "shard")}, and maxLeasesForWorker = ${max}: fewer than ${counted(workers, "worker")} cannot read all shards`,
      `Run ${counted(workers, "worker")} or more, or raise maxLeasesForWorker.`,
    ),
  ];
}

function capacity(
  { failoverTimeMillis }: Settings,
  count: number,
  description: TableCheck["description"],
): Finding {
  const check = "table capacity";
  if (count === 0) return notChecked(check, "the number of leases is not known");
  const perSecond = (count * RENEWALS_PER_FAILOVER * 1_000) / failoverTimeMillis;
  const need = `${counted(count, "lease needs", "leases need")} ${perSecond.toFixed(1)} writes a second for renewals, and one write for each checkpoint`;
  const { BillingModeSummary, ProvisionedThroughput } = description ?? {};
  const writes = ProvisionedThroughput?.WriteCapacityUnits ?? 0;
  if (BillingModeSummary?.BillingMode === "PAY_PER_REQUEST" || writes === 0) return ok(check, need);
  return writes < perSecond * 1.5
    ? warning(
        check,
        `${need}; the table is provisioned with ${writes} writes a second`,
        "Raise the write capacity, or switch the table to on-demand capacity (PAY_PER_REQUEST): workers lose leases that they cannot renew.",
      )
    : ok(check, `${need}; the table is provisioned with ${writes} writes a second`);
}
