// Gives dead letters to a record processor, one child for each shard in turn, as if they came from the stream. Its
// checkpoints are answered and go nowhere.

import { ChildFailed } from "../child/childFailed.ts";
import { ChildDialect } from "../child/dialect.ts";
import type { Command } from "../child/process/spawn.ts";
import type { RecordProcessor } from "../child/recordProcessor.ts";
import { startProcessor } from "../child/startProcessor.ts";
import { systemClock } from "../clock.ts";
import type { Emit } from "../events.ts";
import { batchOf, recordJson } from "../model/batch.ts";
import type { DialectChoice } from "../model/dialect.ts";
import type { RedriveTarget } from "./redrive.ts";

const GRACE = { closeGraceMs: 5_000, terminateGraceMs: 2_000 };

export interface ProcessorTargetOptions {
  readonly command: Command;
  /** Letters that a child is given at once. With one, a letter that fails stands for itself. */
  readonly batchSize: number;
  readonly timeoutMs?: number;
  readonly dialect: DialectChoice;
  readonly emit: Emit;
}

export function processorTarget(options: ProcessorTargetOptions): RedriveTarget {
  const { command, batchSize, timeoutMs, emit } = options;
  const dialect = new ChildDialect(options.dialect, "--dialect ");
  const start = startProcessor({
    command,
    dialect,
    workerId: "redrive",
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...GRACE,
    clock: systemClock,
    emit,
  });
  let current: { readonly shardId: string; readonly processor: RecordProcessor } | undefined;

  const processorFor = async (shardId: string): Promise<RecordProcessor> => {
    if (current?.shardId === shardId) return current.processor;
    await end();
    const processor = await start(shardId, async () => {});
    current = { shardId, processor };
    await processor.initialize({ sequenceNumber: "TRIM_HORIZON", subSequenceNumber: 0 });
    return processor;
  };
  const end = async (): Promise<void> => {
    const { processor } = current ?? {};
    current = undefined;
    try {
      await processor?.shutdownRequested();
      await processor?.leaseLost();
    } catch (error) {
      // It has answered for all its letters, and its checkpoints go nowhere: only the next child needs to know.
      if (!(error instanceof ChildFailed && dialect.misunderstood(error.waitingFor))) throw error;
    } finally {
      await processor?.stop();
    }
  };
  const abandon = async (): Promise<void> => {
    const { processor } = current ?? {};
    current = undefined;
    await processor?.stop();
  };

  return {
    name: `processor ${[command.file, ...command.args].join(" ")}`,
    batchSize,
    async take(letters, settle) {
      const [first] = letters;
      if (!first) return undefined;
      try {
        const processor = await processorFor(first.shardId);
        await processor.processRecords(batchOf(letters.map(recordJson)), undefined);
        await settle(letters);
        return undefined;
      } catch (error) {
        if (!(error instanceof ChildFailed)) throw error;
        await abandon();
        return error.message;
      }
    },
    close: end,
  };
}
