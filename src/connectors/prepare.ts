// Transformer, filter and the emitter's own form, one after the other, for one record.

import type { Prepared } from "./buffer.ts";
import type { Emitter, Filter, Item, SourceRecord, Transformer } from "./pipeline.ts";
import { messageOf } from "./pipeline.ts";

export interface Steps<U extends Item> {
  readonly transformer: Transformer;
  readonly filter: Filter | undefined;
  readonly emitter: Pick<Emitter<U>, "toItem">;
}

export function prepare<U extends Item>(
  record: SourceRecord,
  { transformer, filter, emitter }: Steps<U>,
): Prepared<U> {
  try {
    const objects = transformer.toObjects(record);
    const kept = filter ? objects.filter((object) => filter.keeps(object, record)) : objects;
    return { record, items: kept.map((object, index) => emitter.toItem(object, record, index)) };
  } catch (error) {
    return { record, refusal: { record, reason: messageOf(error) } };
  }
}
