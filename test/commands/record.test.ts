// `record` changes nothing in a conversation, records all of it, and the recording can be played
// again.

import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { replayCommand } from "../../src/commands/replay.ts";
import { readTranscript } from "../../src/transcript/library.ts";
import { linesOf } from "../../src/transcript/lines.ts";
import { record } from "../../src/transcript/recorder.ts";
import { lineOf } from "../../src/transcript/transcript.ts";
import { runCommand, temporaryFolder, WORD_COUNT } from "./support.ts";

const HUGE = "QUJD".repeat(100_000);
const TALK = [
  '{"action":"initialize","shardId":"shardId-000000000003","sequenceNumber":"LATEST","subSequenceNumber":0}',
  `{"action":"processRecords","records":[{"data":"Y2F0IGRvZw==","partitionKey":"alice","sequenceNumber":"1","approximateArrivalTimestamp":5,"subSequenceNumber":0,"action":"record"},{"data":"${HUGE}","partitionKey":"alice","sequenceNumber":"2","approximateArrivalTimestamp":5,"subSequenceNumber":0,"action":"record"}],"millisBehindLatest":0}`,
  '{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null,"error":null}',
  '{"action":"leaseLost"}',
];

/** Acts as the daemon for a recorder and its processor: sends the next line after each message. */
async function recordTalk(
  out: string,
  redact = false,
  argv: readonly [string, ...string[]] = WORD_COUNT,
) {
  const input = new PassThrough();
  const output = new PassThrough();
  const lines = TALK.values();
  const goOn = () => {
    const next = lines.next();
    if (next.done) input.end();
    else input.write(`${next.value}\n`);
  };
  goOn();
  const heard: string[] = [];
  const listening = (async () => {
    for await (const line of linesOf(output)) {
      heard.push(line);
      goOn();
    }
  })();
  try {
    const exitCode = await record({ argv, out, redact, input, output });
    return { heard, exitCode };
  } finally {
    input.destroy();
    output.end();
    await listening;
  }
}

describe("record", () => {
  it("passes everything on, and records it", async () => {
    const out = join(await temporaryFolder(), "talk-{shardId}.txt");
    const { heard, exitCode } = await recordTalk(out);
    expect(exitCode).toBe(0);
    expect(heard).toEqual([
      '{"action":"status","responseFor":"initialize"}',
      '{"action":"checkpoint"}',
      '{"action":"status","responseFor":"processRecords"}',
      '{"action":"status","responseFor":"leaseLost"}',
    ]);
    const { steps } = await readTranscript(out.replace("{shardId}", "shardId-000000000003"));
    const linesFrom = (who: string) => steps.filter(({ from }) => from === who).map(lineOf);
    expect(linesFrom("daemon")).toEqual(TALK);
    expect(linesFrom("child")).toEqual(heard);
    const events = steps.flatMap((step) => (step.from === "event" ? [step.event] : []));
    expect(events).toEqual([
      { type: "stdin closes", text: "" },
      { type: "child exits", text: "0" },
    ]);
  });

  it("never overwrites a recording", async () => {
    const folder = await temporaryFolder();
    for (let i = 0; i < 3; i++) await recordTalk(join(folder, "talk.txt"));
    expect((await readdir(folder)).sort()).toEqual(["talk-2.txt", "talk-3.txt", "talk.txt"]);
  });

  it("leaves out private data with --redact", async () => {
    const out = join(await temporaryFolder(), "talk.txt");
    const argv = [
      process.execPath,
      "-e",
      "console.log('secret cat'); console.log('and dog'); process.stdin.on('data', () => console.log('ok'))",
    ] as const;
    await recordTalk(out, true, argv);
    const written = await readFile(out, "utf8");
    expect(written).not.toMatch(/alice|Y2F0|QUJD|secret/);
    expect(written).toContain("\n< (10 characters, redacted)\n");
    const { steps } = await readTranscript(out);
    const [, batch] = steps.filter(({ from }) => from === "daemon");
    const { records } = JSON.parse(batch ? lineOf(batch) : "") as {
      records: { data: string; partitionKey: string }[];
    };
    expect(records.map(({ partitionKey }) => partitionKey)).toEqual(["key-1", "key-1"]);
    expect(Buffer.from(records[0]?.data ?? "", "base64").toString()).toBe("xxxxxxx");
    expect(records[1]?.data).toHaveLength(HUGE.length);
  });

  it.each([
    ["process.exit(7)", 7],
    ["process.kill(process.pid, 'SIGKILL')", 137],
  ])("ends as the child does: %s", async (code, expected) => {
    const out = join(await temporaryFolder(), "talk.txt");
    const { exitCode } = await recordTalk(out, false, [process.execPath, "-e", code]);
    expect(exitCode).toBe(expected);
  });

  it("reports what cannot be started or written", async () => {
    const folder = await temporaryFolder();
    await expect(recordTalk(join(folder, "t.txt"), false, ["/nonexistent/app"])).rejects.toThrow(
      "Cannot start /nonexistent/app",
    );
    await expect(recordTalk(join(folder, "no", "t.txt"))).rejects.toThrow(
      "Cannot write the transcript",
    );
  });
});

describe("replay", () => {
  async function recorded(): Promise<string> {
    const out = join(await temporaryFolder(), "talk.txt");
    await recordTalk(out);
    return out;
  }

  it("finds no difference where there is none", async () => {
    const file = await recorded();
    const { out, exitCode } = await runCommand(replayCommand(), [file, "--", ...WORD_COUNT]);
    expect({ out, exitCode }).toEqual({ out: `${file}: no difference`, exitCode: 0 });
  });

  it("ignores log messages, other output, and null for absent fields", async () => {
    const file = await recorded();
    const nulls = (await readFile(file, "utf8")).replace(
      '< {"action":"checkpoint"}',
      '< {"sequenceNumber":null,"action":"checkpoint"}',
    );
    await writeFile(file, nulls);
    for (const fault of ["logs", "prints"]) {
      const args = [file, "--", ...WORD_COUNT];
      expect((await runCommand(replayCommand(), args, { FAULT: fault })).exitCode).toBe(0);
    }
  });

  it("plays a conversation in the dialect of KCL 1.x unchanged", async () => {
    const file = join(await temporaryFolder(), "kcl1.txt");
    const place = '"checkpoint":"2"';
    const talk = [
      ...TALK.slice(0, 2).map((line) => `> ${line}`),
      `< {"action":"checkpoint",${place}}`,
      `> {"action":"checkpoint",${place},"error":null}`,
      '< {"action":"status","responseFor":"processRecords"}',
      '> {"action":"shutdown","reason":"TERMINATE"}',
      '< {"action":"checkpoint","checkpoint":null}',
      '> {"action":"checkpoint","checkpoint":null,"error":null}',
      '< {"action":"status","responseFor":"shutdown"}',
    ];
    talk.splice(1, 0, '< {"action":"status","responseFor":"initialize"}');
    await writeFile(file, `${talk.join("\n")}\n`);
    const path = fileURLToPath(new URL("../fixtures/processors/kcl1.py", import.meta.url));
    const args = [file, "--", "python3", path];
    const { out, exitCode } = await runCommand(replayCommand(), args);
    expect({ out, exitCode }).toEqual({ out: `${file}: no difference`, exitCode: 0 });
  });

  it.each([
    ["frugal", '{"action":"checkpoint"}', '{"action":"status","responseFor":"processRecords"}'],
    ["extra", '{"action":"checkpoint"}', '{"action":"checkpoint","took":3}'],
    ["dies", '{"action":"checkpoint"}', "the end of STDOUT"],
    ["twice", '{"action":"checkpoint"}', '{"action":"status","responseFor":"initialize"}'],
  ])("shows where a processor that %s differs", async (fault, expected, came) => {
    const file = await recorded();
    const args = [file, "--", ...WORD_COUNT];
    const { out, exitCode } = await runCommand(replayCommand(), args, { FAULT: fault });
    expect(out).toContain(`the first difference\n  after:    {"action":"processRecords"`);
    expect(out).toContain(`  expected: ${expected}\n  came:     ${came}`);
    expect(exitCode).toBe(1);
  });

  it("reports a file that is not a transcript", async () => {
    const file = join(await temporaryFolder(), "x.txt");
    await expect(runCommand(replayCommand(), [file, "--", "x"])).rejects.toThrow(
      `Cannot read the transcript ${file}`,
    );
    await writeFile(file, "hello");
    await expect(runCommand(replayCommand(), [file, "--", "x"])).rejects.toThrow(
      `${file}:1: a line of a transcript`,
    );
  });
});
