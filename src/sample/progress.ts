// What the sample knows of the running daemon, gathered from the daemon's own log lines.

import * as z from "zod";

export interface ShardProgress {
  pid?: number;
  /** What became of the shard: `reading` until its log says otherwise. */
  state: string;
  position: string;
  lagMs?: number;
  records: number;
}

const PositionText = z.object({ sequenceNumber: z.string(), subSequenceNumber: z.number() });

/** The part of a log line that the sample looks at; the daemon's log has more. */
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
  /** Lines of level warn and error, oldest first, and lines that are no log lines at all. */
  readonly complaints: string[] = [];

  get delivered(): number {
    return [...this.shards.values()].reduce((sum, shard) => sum + shard.records, 0);
  }

  hear(text: string): void {
    const line = parse(text);
    if (!line) {
      this.complaints.push(text);
      return;
    }
    if (line.level === "warn" || line.level === "error") this.complaints.push(line.message);
    if (line.shardId) this.#note(line, this.#shard(line.shardId));
  }

  #shard(shardId: string): ShardProgress {
    const known = this.shards.get(shardId);
    if (known) return known;
    const shard: ShardProgress = { state: "", position: "", records: 0 };
    this.shards.set(shardId, shard);
    return shard;
  }

  #note(line: LogLine, shard: ShardProgress): void {
    switch (line.event) {
      case "waitingForParents":
        shard.state = "waits for its parents";
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
