// The list of faults, with target and time. It is the checker's second source, beside what the
// processors wrote.

/** Milliseconds of the machine's monotonic clock, which is the same in all processes. */
export function nowMs(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}

/** What a fault hits. */
export type Target =
  | { readonly who: "child"; readonly pid: number }
  /**
   * A daemon's process, identified by its place in the fleet; other processes will follow it there.
   */
  | { readonly who: "daemon"; readonly worker: string; readonly pid: number }
  /** The connection of one daemon to a service. */
  | { readonly who: "dynamodb" | "kinesis"; readonly worker: string }
  | { readonly who: "clock"; readonly worker: string }
  | { readonly who: "disk" }
  | { readonly who: "stream" };

export interface FaultEntry {
  readonly name: string;
  readonly target: Target;
  readonly fromMs: number;
  /** Absent while the fault lasts. */
  untilMs?: number;
  readonly detail?: string;
}

export class FaultLog {
  readonly entries: FaultEntry[] = [];

  /** @returns a function that ends the entry. For an instantaneous fault, call it at once. */
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

  /** How often each fault occurred. */
  counts(): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const { name } of this.entries) counts[name] = (counts[name] ?? 0) + 1;
    return counts;
  }
}
