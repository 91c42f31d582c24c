// What was done to whom, and when: the checker's other source, beside what the processors wrote.

/** Milliseconds of the machine's own clock: the same in all processes, and never jumping. */
export function nowMs(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}

/** Who was hit. */
export type Target =
  | { readonly who: "child"; readonly pid: number }
  /** The process of a daemon, by its place in the fleet: it has others after it. */
  | { readonly who: "daemon"; readonly worker: string; readonly pid: number }
  /** The way from one daemon to a service. */
  | { readonly who: "dynamodb" | "kinesis"; readonly worker: string }
  | { readonly who: "clock"; readonly worker: string }
  | { readonly who: "disk" }
  | { readonly who: "stream" };

export interface FaultEntry {
  readonly name: string;
  readonly target: Target;
  readonly fromMs: number;
  /** Absent while it lasts. */
  untilMs?: number;
  readonly detail?: string;
}

export class FaultLog {
  readonly entries: FaultEntry[] = [];

  /** @returns what ends the entry; a fault of one moment has ended when this is called at once. */
  begin(name: string, target: Target, detail?: string): () => void {
    const entry: FaultEntry = {
      name,
      target,
      fromMs: nowMs(),
      ...(detail !== undefined && { detail }),
    };
    this.entries.push(entry);
    return () => {
      entry.untilMs = nowMs();
    };
  }

  /** How often each fault came. */
  counts(): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const { name } of this.entries) counts[name] = (counts[name] ?? 0) + 1;
    return counts;
  }
}
