// `conformance`: a good processor passes every transcript. Each bad processor fails one, and the
// report names the sentence that it violates.

import { fileURLToPath } from "node:url";
import { describe, expect, it, vi } from "vitest";
import { conformanceCommand } from "../../src/commands/conformance.ts";
import { clientTranscripts } from "../../src/transcript/library.ts";
import { type PlayResult, playClient } from "../../src/transcript/playClient.ts";

const argv = [
  process.execPath,
  fileURLToPath(new URL("../fixtures/processors/wordCount.mjs", import.meta.url)),
];
const transcripts = await clientTranscripts("kcl2");
const kcl1Transcripts = await clientTranscripts("kcl1");
/** What the dialect has a part in. */
const ABOUT_ENDINGS = /^(?:shutdown|stop|shard-end|lease-lost|ack|checkpoint-all$)/;
const isNotice = (step: object) =>
  "text" in step && String(step.text).includes("shutdownRequested");

function play(name: string, fault: string, stepLimitMs?: number): Promise<PlayResult> {
  const transcript = transcripts.find((one) => one.name === name);
  if (!transcript) throw new Error(`no transcript ${name}`);
  const env = { ...process.env, FAULT: fault };
  return playClient(transcript, { argv, env, ...(stepLimitMs !== undefined && { stepLimitMs }) });
}

describe("a good processor", () => {
  it.concurrent.each(transcripts.map(({ name }) => name))("passes %s", async (name) => {
    const { outcome, came } = await play(name, "");
    expect({ outcome, came }).toEqual({ outcome: "passed", came: undefined });
  });

  it("is distinguished from one that never exercised the transcript", async () => {
    expect((await play("checkpoint-all", "frugal")).outcome).toBe("not exercised");
    expect((await play("shard-end", "frugal")).outcome).toBe("passed");
  });

  it("may print other lines, which are reported", async () => {
    const { outcome, noise } = await play("process-one-record", "prints");
    expect(outcome).toBe("passed");
    expect(noise).toEqual(["counting 0", "counting 1", "counting 0"]);
  });

  it("may give up after an error that a retry cannot fix", async () => {
    const { outcome } = await play("ack-invalid-state", "gives-up");
    expect(outcome).toBe("passed");
  });
});

describe("a bad processor", () => {
  it.concurrent.each([
    ["wrong", "process-one-record", "O4", "a status for processRecords", "a status for initialize"],
    ["dies", "process-one-record", "E9", "a status for processRecords", "exit with 3"],
    ["twice", "process-one-record", "O4", "a status for processRecords", "a status for initialize"],
    [
      "twice",
      "end-of-input-after-initialize",
      "O3",
      "nothing after the last status",
      '{"action":"status","responseFor":"initialize"}',
    ],
    [
      "number",
      "process-one-record",
      "M10",
      "a sequence number as text",
      '{"action":"checkpoint","sequenceNumber":4.967',
    ],
    ["rounds", "process-one-record", "C5", "a checkpoint at a record that was delivered", "4967"],
    [
      "extra",
      "process-one-record",
      "M12",
      "a checkpoint without other fields",
      '{"action":"checkpoint","took":3}',
    ],
    ["eager", "lease-lost", "C11", "no checkpoint during leaseLost", "null, null"],
    ["shard-end", "shard-end", "E3", "a checkpoint before the status", "none"],
    [
      "invents",
      "process-one-record",
      "V2",
      "an action: status, checkpoint or log",
      '{"action":"metric"',
    ],
    ["logs", "no-announcement", "X2", "only extensions that were announced", '{"action":"log"'],
  ])("that %s fails %s", async (fault, name, sentence, expected, came) => {
    const verdict = await play(name, fault);
    expect(verdict).toMatchObject({ outcome: "failed", sentence, expected });
    expect(verdict.came).toContain(came);
  });

  it.each([
    ["silent", "process-one-record", "O3", "nothing within 4000 ms"],
    ["stays", "process-one-record", "E8", "the process is still running"],
  ])("that is %s fails, and is ended", async (fault, name, sentence, came) => {
    expect(await play(name, fault, 4_000)).toMatchObject({ outcome: "failed", sentence, came });
  });
});

/** Processors in the manner of clients that others wrote for KCL 1.x. */
describe.each([
  ["python3", "kcl1.py", "die"],
  ["python3", "kcl1.py", "hang"],
  ["ruby", "kcl1.rb", ""],
  ["node", "kcl1.mjs", ""],
] as const)("a processor of KCL 1.x (%s %s %s)", (program, file, unknown) => {
  const path = fileURLToPath(new URL(`../fixtures/processors/${file}`, import.meta.url));
  const command = [program, path, unknown] as const;
  const notices = kcl1Transcripts
    .filter(({ name }) => ABOUT_ENDINGS.test(name))
    .filter(({ steps }) => steps.some(({ from, ...step }) => from === "daemon" && isNotice(step)))
    .map(({ name }) => name);

  it("passes in its dialect, except for a message that it does not know", async () => {
    const verdicts: PlayResult[] = [];
    for (const transcript of kcl1Transcripts.filter(({ name }) => ABOUT_ENDINGS.test(name))) {
      const options = { argv: command, dialect: "kcl1", stepLimitMs: 10_000 } as const;
      verdicts.push(await playClient(transcript, options));
    }
    expect(verdicts.filter(({ outcome }) => outcome === "failed")).toEqual([]);
    const unjudged = verdicts.filter(({ outcome }) => outcome === "not exercised");
    const names = unjudged.map(({ transcript }) => transcript);
    for (const name of notices) expect(names.includes(name)).toBe(file !== "kcl1.mjs");
  }, 120_000);

  it("fails at the endings of KCL 2.x", async () => {
    const transcript = transcripts.find(({ name }) => name === "shard-end");
    if (!transcript) throw new Error("no transcript");
    const verdict = await playClient(transcript, { argv: command, stepLimitMs: 5_000 });
    expect(verdict).toMatchObject({ outcome: "failed", expected: expect.any(String) });
  });
});

describe("the command", () => {
  it("reports with JSON and with the exit code", async () => {
    const out = vi.spyOn(console, "log").mockImplementation(() => {});
    vi.stubEnv("FAULT", "wrong");
    try {
      await conformanceCommand().parseAsync(["--json", "--only", "lease-lost", "--", ...argv], {
        from: "user",
      });
      expect(process.exitCode).toBe(1);
      const report = JSON.parse(String(out.mock.calls[0]?.[0])) as { failed: number };
      expect(report).toMatchObject({ protocolVersion: 1, passed: 0, failed: 1, notExercised: 0 });
    } finally {
      process.exitCode = undefined;
      vi.unstubAllEnvs();
      out.mockRestore();
    }
  });

  it("reports a command that cannot be started", async () => {
    const run = conformanceCommand().parseAsync(["--", "/nonexistent/app"], { from: "user" });
    await expect(run).rejects.toThrow("Cannot start /nonexistent/app");
  });
});
