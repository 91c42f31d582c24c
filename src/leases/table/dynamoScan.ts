// Reads all rows of the lease table, page by page, and a large table in several parallel segments.
// Java asks DynamoDB for the table's size every 2 h; here the number of pages of the last scan
// decides.

import type { DynamoDB } from "@aws-sdk/client-dynamodb";
import { inParallel } from "../../inParallel.ts";
import { allPages } from "./dynamoCalls.ts";
import type { Item } from "./dynamoItem.ts";

/** As Java: one segment for each 0.2 GiB. A page has 1 MiB. */
const PAGES_PER_SEGMENT = 0.2 * 1024;
const MOST_SEGMENTS = 32;

/** @param pages of the last scan. */
export function segmentsFor(pages: number): number {
  return Math.min(MOST_SEGMENTS, Math.max(1, Math.ceil(pages / PAGES_PER_SEGMENT)));
}

/** @param totalSegments `undefined`: decided by the size of the table. */
export function scanner(
  client: DynamoDB,
  tableName: string,
  totalSegments: number | undefined,
): (signal: AbortSignal) => Promise<readonly Item[]> {
  let lastPages = 1;

  async function scanSegment(
    Segment: number,
    TotalSegments: number,
    abortSignal: AbortSignal,
  ): Promise<readonly (readonly Item[])[]> {
    const part = TotalSegments > 1 ? { Segment, TotalSegments } : {};
    return allPages((start) =>
      client.scan({ TableName: tableName, ...part, ...start }, { abortSignal }),
    );
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
    return pages.flat();
  };
}
