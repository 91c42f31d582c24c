// `conformance --producer`: our producer passes every transcript. Each bad producer fails one, and
// the report names the sentence that it violates.

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { startLoopbackStream } from "../../src/transcript/loopbackStream.ts";
import { playProducer } from "../../src/transcript/playProducer.ts";
import { producerTranscripts } from "../../src/transcript/producerTranscript.ts";
import { MAIN } from "../support/daemon.ts";

const produce = [process.execPath, MAIN, "produce", "--protocol", "-s", "words"];
const FAULTY = fileURLToPath(new URL("../fixtures/faultyProducer.mjs", import.meta.url));
const transcripts = await producerTranscripts();

async function play(name: string, argv: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const transcript = transcripts.find((one) => one.name === name);
  if (!transcript) throw new Error(`no transcript ${name}`);
  const stream = await startLoopbackStream();
  onTestFinished(() => stream.stop());
  return playProducer(transcript, {
    argv,
    endpoint: stream.url,
    stepLimitMs: 60_000,
    env: { ...process.env, ...env },
  });
}

it("passes our producer in every transcript", async () => {
  const run = spawnSync(
    process.execPath,
    [MAIN, "conformance", "--producer", "--step-limit", "60000", "--json", "--", ...produce],
    { encoding: "utf8" },
  );
  const { passed, verdicts } = JSON.parse(run.stdout) as { passed: number; verdicts: object[] };
  expect(verdicts.filter((each) => !("outcome" in each && each.outcome === "passed"))).toEqual([]);
  expect(passed).toBe(transcripts.length);
  expect(run.status).toBe(0);
});

describe("a bad producer", () => {
  it.each([
    ["silent", "put-text", "S1", "the end of STDOUT"],
    ["old", "put-text", "T4", '"protocolVersion":7'],
    ["prints", "put-text", "T4", "loading"],
    ["wrong-id", "put-text", "P1", '"id":99'],
    ["vague", "put-text", "R2", "shardId-000000000000 7 0"],
    ["early", "put-text", "P1", '"action":"closed"'],
    ["stingy", "credit", "B2", "bytes too many"],
    ["chatty", "put-text", "N1", '"action":"credit"'],
    ["exit", "put-text", "N3", "exit with 3"],
  ])("that is %s fails %s by sentence %s", async (fault, name, sentence, came) => {
    const result = await play(name, [process.execPath, FAULTY, ...produce], { FAULT: fault });
    expect(result).toMatchObject({ outcome: "failed", sentence });
    expect(result.came).toContain(came);
  });

  it("may write messages that a client ignores", async () => {
    const argv = [process.execPath, FAULTY, ...produce];
    expect(await play("put-text", argv, { FAULT: "extra" })).toMatchObject({ outcome: "passed" });
  });
});
