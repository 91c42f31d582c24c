// A trial, with real children: what it shows, and what its exit code says.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, vi } from "vitest";
import { tryCommand } from "../../src/commands/try.ts";
import { runCommand, temporaryFolder, WORD_COUNT } from "./support.ts";

async function tryOn(text: string, args: readonly string[], fault = "") {
  const records = join(await temporaryFolder(), "words.txt");
  await writeFile(records, text);
  const all = ["--records", records, ...args, "--", ...WORD_COUNT];
  return runCommand(tryCommand(), all, { FAULT: fault });
}

const FIVE = "cat\ndog\nbird\ncat\ncat\n";

describe("a trial", () => {
  it("delivers all records in batches, and succeeds when all are checkpointed", async () => {
    const { out, exitCode } = await tryOn(FIVE, ["--batch-size", "2"]);
    expect(out.match(/> \d records?/g)).toEqual(["> 2 records", "> 2 records", "> 1 record"]);
    expect(out).toMatch(/checkpoint 4967…000000002\n.*< done in [\d.]+ ms/);
    expect(out).toContain("5 records in 3 batches, last checkpoint SHARD_END, all checkpointed");
    expect(exitCode).toBe(0);
  });

  it.each([
    ["leaseLost", "last checkpoint 4967…000000005, all checkpointed"],
    ["shutdownRequested", "last checkpoint 4967…000000005, all checkpointed"],
  ])("may end with %s", async (end, words) => {
    const { out, exitCode } = await tryOn(FIVE, ["--end", end]);
    expect(out).toContain(words);
    expect(exitCode).toBe(0);
  });

  it("reports the records that were never checkpointed", async () => {
    const { out, exitCode } = await tryOn(FIVE, ["--end", "leaseLost"], "frugal");
    expect(out).toContain(
      "last checkpoint TRIM_HORIZON, 5 never checkpointed, from 4967…000000001 on",
    );
    expect(exitCode).toBe(1);
  });

  it("lets checkpoints fail, and shows how the processor handles it", async () => {
    const { out, exitCode } = await tryOn(FIVE, ["--fail-checkpoint", "throttling:2"]);
    expect(out.match(/checkpoint refused: ThrottlingException/g)).toHaveLength(2);
    expect(exitCode).toBe(0);
  });

  it("runs a process for each shard", async () => {
    const { out, exitCode } = await tryOn(FIVE, ["--shards", "3", "--quiet"]);
    expect(out).toContain("5 records in ");
    expect(out.match(/^shardId-00000000000[012] .*all checkpointed$/gm)).toHaveLength(3);
    expect(exitCode).toBe(0);
  });

  it("keeps a rate", async () => {
    const { out } = await tryOn(FIVE, ["--rate", "1000", "--quiet"]);
    expect(out).toContain("5 records in ");
  });

  it("shows log messages and other output", async () => {
    expect((await tryOn("cat\n", [], "logs")).out).toContain("    info: done");
    expect((await tryOn("cat\n", [], "prints")).out).toContain(
      "on STDOUT, not a message: counting 1",
    );
  });
});

describe("a trial of a processor that fails", () => {
  it("reports the reason, and the records that were not delivered", async () => {
    const { out, exitCode } = await tryOn(FIVE, ["--batch-size", "2"], "dies");
    expect(out).toContain("exited with 3");
    expect(out).toContain("2 never checkpointed, from 4967…000000001 on, 3 never delivered");
    expect(exitCode).toBe(1);
  });

  it("fails when the end of a shard was not checkpointed", async () => {
    const { out, exitCode } = await tryOn(FIVE, [], "shard-end");
    expect(out).toContain('answered "shardEnded" without a checkpoint');
    expect(exitCode).toBe(1);
  });

  it("ends a processor that does not answer", async () => {
    const { out, exitCode } = await tryOn(FIVE, ["--timeout", "2"], "silent");
    expect(out).toContain('while the daemon waited for its answer to "processRecords"');
    expect(exitCode).toBe(1);
  });
});

describe("records", () => {
  const ORDINARY = '{"id":1,"word":"cat"}\n{"id":2,"word":"dog"}\n';

  it.each([ORDINARY, "1\n2\n"])(
    "that are JSON lines without an envelope name the format, before a child starts",
    async (text) => {
      const records = join(await temporaryFolder(), "words.jsonl");
      await writeFile(records, text);
      const log = vi.spyOn(console, "log").mockImplementation(() => {});
      const run = tryCommand().parseAsync(["--records", records, "--", ...WORD_COUNT], {
        from: "user",
      });
      await expect(run).rejects.toThrow(
        "words.jsonl:1: exactly one of data (base64), text and json is required. If each line is the data of a record, use --format lines",
      );
      expect(log.mock.calls.flat().join()).not.toContain("started");
      log.mockRestore();
    },
  );

  it("that are lines of JSON are one record each with --format lines", async () => {
    const records = join(await temporaryFolder(), "words.jsonl");
    await writeFile(records, ORDINARY);
    const args = ["--records", records, "--format", "lines", "--", ...WORD_COUNT];
    const { out, exitCode } = await runCommand(tryCommand(), args);
    expect(out).toContain("2 records in 1 batch");
    expect(exitCode).toBe(0);
  });

  it.each([[["--"]], [[]]])(
    "may be named without --records, before the command %j",
    async (mark) => {
      const records = join(await temporaryFolder(), "words.txt");
      await writeFile(records, FIVE);
      const { out, exitCode } = await runCommand(tryCommand(), [records, ...mark, ...WORD_COUNT]);
      expect(out).toContain("5 records in 1 batch");
      expect(exitCode).toBe(0);
    },
  );

  it("without a command are an error that asks for one", async () => {
    const records = join(await temporaryFolder(), "words.txt");
    await writeFile(records, FIVE);
    await expect(runCommand(tryCommand(), [records])).rejects.toThrow("The processor is missing");
  });
});

describe("a processor of KCL 1.x", () => {
  const processor = fileURLToPath(new URL("../fixtures/processors/kcl1.py", import.meta.url));
  const tryKcl1 = async (...args: readonly string[]) => {
    const records = join(await temporaryFolder(), "words.txt");
    await writeFile(records, FIVE);
    const all = ["--records", records, ...args, "--", "python3", processor];
    return runCommand(tryCommand(), all);
  };

  it.each(["shardEnded", "leaseLost"])("ends in its own dialect: %s", async (end) => {
    const { out, exitCode } = await tryKcl1("--dialect", "kcl1", "--end", end);
    expect(out).toContain("all checkpointed");
    expect(exitCode).toBe(0);
  });

  it("fails in the dialect of KCL 2.x, and the error says what to set", async () => {
    const { out, exitCode } = await tryKcl1();
    expect(out).toContain(
      'KCL 1.x has no message "shardEnded". If the processor was written for that version, set --dialect kcl1.',
    );
    expect(exitCode).toBe(1);
  });
});

it("ends its children when a record is invalid", async () => {
  const records = join(await temporaryFolder(), "words.ndjson");
  await writeFile(records, '{"text":"cat"}\nnonsense\n');
  const run = runCommand(tryCommand(), ["--records", records, "--", ...WORD_COUNT]);
  await expect(run).rejects.toThrow("words.ndjson:2: invalid JSON");
});

it.each(["slow", "throttling:0", "throttling:two"])(
  "refuses --fail-checkpoint %s",
  async (value) => {
    const command = tryCommand()
      .exitOverride()
      .configureOutput({ writeErr: () => {} });
    const run = runCommand(command, ["--fail-checkpoint", value, "--", "x"]);
    await expect(run).rejects.toThrow("Allowed: throttling, dependency");
  },
);

describe("a traceback", () => {
  const PYTHON = [
    "python3",
    "-c",
    'import sys; sys.stdin.readline(); raise ValueError("no " + "cat")',
  ];

  it.each([[[]], [["--quiet"]]])("is shown once with %j", async (flags) => {
    const records = join(await temporaryFolder(), "words.txt");
    await writeFile(records, FIVE);
    const args = ["--records", records, ...flags, "--", ...PYTHON];
    const { out, exitCode } = await runCommand(tryCommand(), args);
    expect(out.split("ValueError: no cat").length - 1).toBe(1);
    expect(exitCode).toBe(1);
  });
});
