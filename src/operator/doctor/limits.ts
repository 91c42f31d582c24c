// Limits of the services that a configuration runs into: reads of a shard, consumers of a stream, writes of leases.

import type { Settings } from "../../config/settings.ts";
import { counted } from "../../plural.ts";
import { type Finding, failed, notChecked, ok, warning } from "./finding.ts";
import type { TableCheck } from "./leaseTable.ts";
import type { StreamFacts } from "./stream.ts";

/** Registered consumers a stream may have; 50 where on-demand advantage is switched on. */
const MAX_CONSUMERS = 20;
/** Each lease is renewed three times within the failover time. */
const RENEWALS_PER_FAILOVER = 3;

export function checkConsumers({ retrieval }: Settings, facts: StreamFacts | undefined): Finding {
  const check = "consumer limit";
  if (retrieval === "POLLING") return ok(check, "polling registers no consumer");
  const count = facts?.summary?.ConsumerCount;
  if (count === undefined)
    return notChecked(check, "how many consumers the stream has is not known");
  const message = `${counted(count, "consumer")} registered; a stream may have ${MAX_CONSUMERS}`;
  if (count < MAX_CONSUMERS) return ok(check, message);
  return (retrieval === "AUTO" ? warning : failed)(
    check,
    `${message} (50 with on-demand advantage). If ours is not among them it cannot be registered`,
    "Deregister one that is not used, or set retrievalMode = POLLING.",
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
    capacity(settings, Math.max(unfinished ?? 0, open ?? 0), description),
  ].flat();
}

function reading({ retrieval }: Settings, open: number | undefined): Finding {
  const check = "read limit";
  if (open === undefined) return notChecked(check, "how many shards are open is not known");
  const each = `${counted(open, "open shard")}: at most ${open} MB/s in`;
  if (retrieval !== "POLLING")
    return ok(check, `${each}, 2 MB/s a shard out to each registered consumer`);
  return ok(
    check,
    `${each}; 2 MB/s and 5 reads a second a shard out, for all that poll it together`,
  );
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
      `${counted(count, "shard")}, and maxLeasesForWorker = ${max}: fewer than ${counted(workers, "worker")} leave some unread`,
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
  if (count === 0) return notChecked(check, "how many leases there will be is not known");
  const perSecond = (count * RENEWALS_PER_FAILOVER * 1_000) / failoverTimeMillis;
  const need = `${counted(count, "lease needs", "leases need")} ${perSecond.toFixed(1)} writes a second to be renewed, and one for each checkpoint`;
  const { BillingModeSummary, ProvisionedThroughput } = description ?? {};
  const writes = ProvisionedThroughput?.WriteCapacityUnits ?? 0;
  if (BillingModeSummary?.BillingMode === "PAY_PER_REQUEST" || writes === 0) return ok(check, need);
  return writes < perSecond * 1.5
    ? warning(
        check,
        `${need}; the table is provisioned with ${writes}`,
        "Raise it, or switch the table to on-demand (PAY_PER_REQUEST): leases that cannot be renewed are lost.",
      )
    : ok(check, `${need}; the table is provisioned with ${writes}`);
}
