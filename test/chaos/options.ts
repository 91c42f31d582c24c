// `npm run chaos -- --minutes N --seed N`.

import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import { FAULTS, type Fault } from "./faults.ts";

export interface Options {
  /** Whether a producer is attacked in place of daemons. */
  readonly producer: boolean;
  readonly minutes: number;
  readonly seed: number;
  readonly daemons: number;
  /** How many children share a shard. */
  readonly lanes: number;
  /** The mean pause between two faults. */
  readonly pauseMs: number;
  readonly faults: readonly Fault[];
  /** A fault of the processors that the checker must notice: lose, reorder or repeat. */
  readonly sabotage: string | undefined;
  /** A library that sets clocks. If absent, clocks do not jump. */
  readonly fakeTime: string | undefined;
}

/** Where Debian and Alpine install it. */
const FAKE_TIME = [
  "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
  "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
  "/usr/lib/faketime/libfaketimeMT.so.1",
];

export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: "string", default: "2" },
      seed: { type: "string", default: String(Date.now() % 2 ** 31) },
      daemons: { type: "string", default: "3" },
      lanes: { type: "string", default: "1" },
      "pause-ms": { type: "string", default: "2000" },
      only: { type: "string" },
      sabotage: { type: "string" },
      producer: { type: "boolean", default: false },
    },
  });
  const number = (name: "minutes" | "seed" | "daemons" | "lanes" | "pause-ms") => {
    const value = Number(values[name]);
    if (!(value > 0)) throw new Error(`--${name} takes a number above 0, not ${values[name]}`);
    return value;
  };
  const { only } = values;
  return {
    producer: values.producer,
    minutes: number("minutes"),
    seed: number("seed"),
    daemons: number("daemons"),
    lanes: number("lanes"),
    pauseMs: number("pause-ms"),
    faults: FAULTS.filter(({ name }) => only === undefined || name.includes(only)),
    sabotage: values.sabotage,
    fakeTime: FAKE_TIME.find((file) => existsSync(file)),
  };
}
