// Reads all rows of the lease table, page after page, and a large one in several segments side by side. Java asks
// DynamoDB every 2 h how large it is; here the pages of the last scan tell.

import type { DynamoDB } from "@aws-sdk/client-dynamodb";
import { inParallel } from "../../inParallel.ts";
import { type FleetRow, fleetRow } from "../kcl3/fleetRows.ts";
import type { Lease } from "../lease.ts";
import type { Scan, UnreadableRow } from "../table.ts";
import { unreadableRow } from "./dynamoErrors.ts";
import { ATTRIBUTES, type Item, isForeign, NotALease, parseItem } from "./dynamoItem.ts";

/** As Java: one segment for each 0.2 GiB. A page has 1 MiB. */
const PAGES_PER_SEGMENT = 0.2 * 1024;
const MOST_SEGMENTS = 32;

/** @param pages of the last scan. */
export function segmentsFor(pages: number): number {
  return Math.min(MOST_SEGMENTS, Math.max(1, Math.ceil(pages / PAGES_PER_SEGMENT)));
}

/** @param totalSegments `undefined` = as many as the size asks for. */
export function scanner(
  client: DynamoDB,
  tableName: string,
  totalSegments: number | undefined,
): (signal: AbortSignal) => Promise<Scan> {
  let lastPages = 1;

  async function scanSegment(
    Segment: number,
    TotalSegments: number,
    abortSignal: AbortSignal,
  ): Promise<readonly (readonly Item[])[]> {
    const part = TotalSegments > 1 ? { Segment, TotalSegments } : {};
    const pages: (readonly Item[])[] = [];
    let start: Item | undefined;
    do {
      const page = await client.scan(
        { TableName: tableName, ...part, ...(start && { ExclusiveStartKey: start }) },
        { abortSignal },
      );
      pages.push(page.Items ?? []);
      start = page.LastEvaluatedKey;
    } while (start);
    return pages;
  }

  return async (signal) => {
    const total = totalSegments ?? segmentsFor(lastPages);
    const pages: (readonly Item[])[] = [];
    await inParallel(
      Array.from({ length: total }, (_, i) => i),
      MOST_SEGMENTS,
      async (segment) => {
        pages.push(...(await scanSegment(segment, total, signal)));
      },
    );
    lastPages = pages.length;
    return sortOut(tableName, pages.flat());
  };
}

function sortOut(tableName: string, items: readonly Item[]): Scan {
  const leases: Lease[] = [];
  const unreadable: UnreadableRow[] = [];
  const fleet: FleetRow[] = [];
  for (const item of items) {
    if (isForeign(item)) {
      fleet.push(
        ...[fleetRow(item[ATTRIBUTES.key]?.S ?? "", item)].filter((row) => row !== undefined),
      );
      continue;
    }
    try {
      leases.push(parseItem(item));
    } catch (error) {
      if (!(error instanceof NotALease)) throw error;
      const { shardId, streamName } = error;
      unreadable.push({
        shardId,
        error: unreadableRow(tableName, error),
        ...(streamName !== undefined && { streamName }),
      });
    }
  }
  return { leases, unreadable, fleet };
}
