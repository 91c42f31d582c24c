// What a connector would do with a record, as text for `--dry-run`.

import type { LoadedConnector } from "../config/connector/loadConnector.ts";
import { withConnector } from "./openConnector.ts";
import type { SourceRecord } from "./pipeline.ts";
import { prepare } from "./prepare.ts";

export interface Preview {
  readonly target: string;
  readonly lines: readonly string[];
}

export async function preview(
  loaded: LoadedConnector,
  records: readonly SourceRecord[],
): Promise<Preview> {
  const { target, lines, close } = await withConnector(loaded, (parts) => {
    const { emitter } = parts;
    const shown = records.flatMap((record) => {
      const { shardId, sequenceNumber, subSequenceNumber } = record;
      const sub = subSequenceNumber > 0 ? `#${subSequenceNumber}` : "";
      const place = `${shardId} ${sequenceNumber}${sub}`;
      const prepared = prepare(record, parts);
      if ("refusal" in prepared) {
        return [`${place}\n  dead letter: ${prepared.refusal.reason}`];
      }
      if (prepared.items.length === 0) return [`${place}\n  filtered out`];
      const items = prepared.items.map(
        (item) => `  -> ${emitter.placeOf(item)}\n  ${emitter.textOf(item)}`,
      );
      return [[place, ...items].join("\n")];
    });
    return { target: emitter.target, lines: shown, close: () => emitter.close() };
  });
  await close();
  return { target, lines };
}
