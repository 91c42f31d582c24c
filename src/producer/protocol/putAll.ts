// Puts the records of one request: all of them are taken, or none, and the outcomes come back in
// their order.

import { type ProducerCore, sizeOf } from "../core.ts";
import type { Outcome, UserRecord } from "../record.ts";

/** @returns `undefined` when there is no room for all of them: none was taken. */
export function putAll(
  core: ProducerCore,
  streamName: string,
  records: readonly (UserRecord | string)[],
): Promise<Outcome[]> | undefined {
  const checked = records.map((record) => checkedRecord(core, streamName, record));
  const sizes = checked.flatMap((each) => ("data" in each ? [sizeOf(each)] : []));
  const reserved: number[] = [];
  for (const size of sizes) {
    if (!core.tryRoom(size)) {
      for (const each of reserved) core.giveBack(each);
      return undefined;
    }
    reserved.push(size);
  }
  return Promise.all(
    checked.map((each) =>
      "data" in each
        ? new Promise<Outcome>((resolve) => core.put(streamName, each, resolve))
        : Promise.resolve(each),
    ),
  );
}

function checkedRecord(
  core: ProducerCore,
  streamName: string,
  record: UserRecord | string,
): UserRecord | Outcome {
  if (typeof record === "string") {
    return { errorCode: "InvalidRecord", message: record, attempts: [] };
  }
  const problem = core.problemOf(streamName, record);
  return problem ? { ...problem, attempts: [] } : record;
}
