// Leases as values, for pure tests.

import type { Lease } from "../../src/leases/lease.ts";

export function lease(shardId: string, facts: Partial<Lease> = {}): Lease {
  return {
    shardId,
    counter: 0,
    checkpoint: { sequenceNumber: "TRIM_HORIZON", subSequenceNumber: 0 },
    ownerSwitchesSinceCheckpoint: 0,
    parentShardIds: [],
    childShardIds: [],
    ...facts,
  };
}
