// What the sample knows about the running daemon, gathered from the daemon's log lines.

import * as z from "zod";

export interface ShardProgress {
  pid?: number;
  /** The state of the shard, as the view shows it. */
  state: string;
  position: string;
  lagMs?: number;
  records: number;
}

const PositionText = z.object({ sequenceNumber: z.string(), subSequenceNumber: z.number() });

/** The fields of a log line that the sample uses; there are more. */
const LogLine = z.looseObject({
  event: z.string(),
  level: z.string(),
  message: z.string(),
  shardId: z.string().optional(),
  pid: z.number().optional(),
  position: PositionText.optional(),
  records: z.number().optional(),
  millisBehindLatest: z.number().optional(),
  reason: z.string().optional(),
});
type LogLine = z.infer<typeof LogLine>;

export class Progress {
  readonly shards = new Map<string, ShardProgress>();
  /** Messages of level warn and error, and lines that are not log lines; oldest first. */
  readonly warnings: string[] = [];

  get delivered(): number {
    return [...this.shards.values()].reduce((sum, shard) => sum + shard.records, 0);
  }

  read(text: string): void {
    const line = parse(text);
    if (!line) {
      this.warnings.push(text);
      return;
    }
    if (line.level === "warn" || line.level === "error") this.warnings.push(line.message);
    if (line.shardId) this.#update(line, this.#shard(line.shardId));
  }

  #shard(shardId: string): ShardProgress {
    const known = this.shards.get(shardId);
    if (known) return known;
    const shard: ShardProgress = { state: "", position: "", records: 0 };
    this.shards.set(shardId, shard);
    return shard;
  }

  #update(line: LogLine, shard: ShardProgress): void {
    switch (line.event) {
      case "waitingForParents":
        shard.state = "waiting for parents";
        break;
      case "childStarted":
        if (line.pid !== undefined) shard.pid = line.pid;
        break;
      case "shardStarted":
        shard.state = "reading";
        shard.position = line.position?.sequenceNumber ?? "";
        break;
      case "batchProcessed":
        shard.records += line.records ?? 0;
        shard.position = line.position?.sequenceNumber ?? shard.position;
        if (line.millisBehindLatest !== undefined) shard.lagMs = line.millisBehindLatest;
        break;
      case "shardStopped":
        shard.state = line.reason === "shardEnded" ? "finished" : "stopped";
        break;
    }
  }
}

function parse(text: string): LogLine | undefined {
  try {
    return LogLine.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
