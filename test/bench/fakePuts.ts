// The service for producers: go/fakeputs, which counts what it receives.

import { join } from "node:path";
import { BIN, RUNS } from "./paths.ts";
import { Program } from "./processes.ts";
import { waitFor } from "./wait.ts";

/** What it has received since the beginning, or since `begin`. */
export interface PutCounts {
  readonly entries: number;
  readonly refused: number;
  readonly userRecords: number;
  /** The payloads. */
  readonly userBytes: number;
  /** The Kinesis records that carry the payloads. */
  readonly dataBytes: number;
  /** From the put to the service. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly seconds: number;
  /** When the first record was stored, in milliseconds since 1970. */
  readonly firstMs: number;
}

export interface FakePuts {
  /** With TLS, which the KPL requires. */
  readonly endpoint: string;
  /** @returns the counts before. */
  begin(): Promise<PutCounts>;
  counts(): Promise<PutCounts>;
  stop(): Promise<void>;
}

const START_LIMIT_MS = 60_000;
const STOP_PATIENCE_MS = 2_000;

export async function startFakePuts(shards: number): Promise<FakePuts> {
  const program = new Program([join(BIN, "fakeputs"), `-shards=${shards}`, "-limits"], {
    logFile: join(RUNS, "fakeputs.log"),
  });
  const [, url = "", endpoint = ""] = await waitFor("the service to listen", START_LIMIT_MS, () => {
    program.mustRun();
    return /^(http:\S+) (https:\S+)\n/.exec(program.log) ?? undefined;
  });
  const get = async (path: string) => (await (await fetch(url + path)).json()) as PutCounts;
  return {
    endpoint,
    begin: () => get("/begin"),
    counts: () => get("/"),
    stop: () => program.stop(STOP_PATIENCE_MS),
  };
}
