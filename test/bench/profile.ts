// Shows where our daemon spent CPU time: the functions of a V8 CPU profile by self time.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: {
      readonly functionName: string;
      readonly url: string;
      readonly lineNumber: number;
    };
  }[];
  readonly samples: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[];
}

const SHOWN = 40;
/** Not work, but waiting for an event. */
const IDLE = "(idle)";

/**
 * The newest profile in the folder, between two times after the launch, as a Markdown table.
 *
 * @param fromSeconds seconds after the profile's start, which is some hundredths of a second after
 * the launch.
 */
export function profileTable(folder: string, fromSeconds: number, toSeconds: number): string {
  const newest = readdirSync(folder)
    .filter((name) => name.endsWith(".cpuprofile"))
    .toSorted()
    .at(-1);
  if (!newest) return "No profile was written: did the daemon end in order?";
  const profile = JSON.parse(readFileSync(join(folder, newest), "utf8")) as CpuProfile;
  const micros = selfMicros(profile, fromSeconds * 1e6, toSeconds * 1e6);
  const idle = micros.get(IDLE) ?? 0;
  micros.delete(IDLE);
  const busy = [...micros.values()].reduce((sum, value) => sum + value, 0);
  const rows = [...micros].toSorted(([, a], [, b]) => b - a).slice(0, SHOWN);
  const lines = rows.map(
    ([name, value]) =>
      `| ${((value / busy) * 100).toFixed(1)} | ${(value / 1000).toFixed(0)} | ${name} |`,
  );
  return [
    `${newest}: main thread busy ${(busy / 1e6).toFixed(2)} s, idle ${(idle / 1e6).toFixed(2)} s`,
    "",
    "| % | ms | Function |",
    "| --: | --: | --- |",
    ...lines,
  ].join("\n");
}

function selfMicros(profile: CpuProfile, from: number, to: number): Map<string, number> {
  const names = new Map(profile.nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const micros = new Map<string, number>();
  let at = 0;
  profile.samples.forEach((id, i) => {
    at += profile.timeDeltas[i] ?? 0;
    if (at < from || at > to) return;
    const name = names.get(id) ?? "?";
    // A sample counts for the time until the next one.
    micros.set(name, (micros.get(name) ?? 0) + (profile.timeDeltas[i + 1] ?? 0));
  });
  return micros;
}

function nameOf(frame: CpuProfile["nodes"][number]["callFrame"]): string {
  const { functionName, url, lineNumber } = frame;
  const file = url.replace(/^file:\/\//, "").replace(/.*\/(?=dist\/|node_modules\/)/, "");
  const name = functionName || "(anonymous)";
  return file ? `${name} ${file}:${lineNumber + 1}` : name;
}
