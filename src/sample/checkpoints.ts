// Reads the checkpoints in the lease table at the end of the sample.

import { dynamoClient } from "../aws/dynamoClient.ts";
import { systemClock } from "../clock.ts";
import { dynamoLeaseTable } from "../leases/table/dynamoTable.ts";
import { LOCAL_CREDENTIALS, LOCAL_REGION } from "../local/services.ts";
import { formatPosition } from "../model/position.ts";

export interface CheckpointRow {
  readonly shardId: string;
  readonly checkpoint: string;
  readonly owner: string;
}

export async function readCheckpoints(
  endpoint: string,
  tableName: string,
): Promise<readonly CheckpointRow[]> {
  const client = await dynamoClient({
    endpoint,
    region: LOCAL_REGION,
    credentials: LOCAL_CREDENTIALS,
  });
  try {
    const options = { tableName, deletionProtection: false, pointInTimeRecovery: false };
    const table = dynamoLeaseTable(client, options, systemClock);
    const { leases } = await table.scan(new AbortController().signal);
    return leases
      .map((lease) => ({
        shardId: lease.shardId,
        checkpoint: formatPosition(lease.checkpoint),
        owner: lease.owner ?? "",
      }))
      .sort((a, b) => (a.shardId < b.shardId ? -1 : 1));
  } finally {
    client.destroy();
  }
}
