// The faults of a client, each with the number of the sentence in the specification that it
// violates.

import { brief, type CheckpointLine, type Fault } from "./childLine.ts";
import type { ScriptedAction } from "./script.ts";

export function timeoutFault(action: string, ms: number): Fault {
  return { sentence: "O3", expected: `a status for ${action}`, came: `nothing within ${ms} ms` };
}

export function statusFault(
  named: string,
  { action, message }: Pick<ScriptedAction, "action" | "message">,
  checkpoints: number,
): Fault | undefined {
  if (named !== message) {
    return { sentence: "O4", expected: `a status for ${message}`, came: `a status for ${named}` };
  }
  if (action === "shardEnded" && checkpoints === 0) {
    return { sentence: "E3", expected: "a checkpoint before the status", came: "none" };
  }
  return undefined;
}

export function checkpointFault(
  { sequenceNumber, subSequenceNumber }: CheckpointLine,
  action: string,
  delivered: ReadonlyMap<string, ReadonlySet<number>>,
): Fault | undefined {
  const came = `${sequenceNumber ?? "null"}, ${subSequenceNumber ?? "null"}`;
  if (action === "initialize" || action === "leaseLost") {
    return { sentence: "C11", expected: `no checkpoint during ${action}`, came };
  }
  if (sequenceNumber === null || (action === "shardEnded" && sequenceNumber === "SHARD_END"))
    return undefined;
  if (delivered.get(sequenceNumber)?.has(subSequenceNumber ?? 0)) return undefined;
  return { sentence: "C5", expected: "a checkpoint at a record that was delivered", came };
}

export function unannouncedFault(line: string): Fault {
  return { sentence: "X2", expected: "only extensions that were announced", came: brief(line) };
}
