// Processors that read their own payload, and reject the words of the transcripts.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { conformanceCommand } from "../../src/commands/conformance.ts";
import { loadTranscripts } from "../../src/transcript/library.ts";
import { withPayload } from "../../src/transcript/payload.ts";
import { scriptOf } from "../../src/transcript/script.ts";
import { runCommand, temporaryFolder } from "./support.ts";

/** A processor that wants JSON objects with a field, and dies of anything else. */
async function picky(field: string): Promise<readonly string[]> {
  const file = join(await temporaryFolder(), "picky.mjs");
  await writeFile(
    file,
    `import { createInterface } from "node:readline";
for await (const line of createInterface({ input: process.stdin })) {
  const { action, records = [] } = JSON.parse(line);
  for (const { data } of records) {
    const value = JSON.parse(Buffer.from(data, "base64").toString());
    if (typeof value.${field} !== "string") process.exit(1);
  }
  console.log(JSON.stringify({ action: "status", responseFor: action }));
}`,
  );
  return [process.execPath, file];
}

const ONLY = ["--only", "process-"];

describe("a processor of JSON", () => {
  it("fails at every batch of words, and the report says what to do", async () => {
    const { out, exitCode } = await runCommand(conformanceCommand(), [
      ...ONLY,
      "--",
      ...(await picky("text")),
    ]);
    expect(exitCode).toBe(1);
    expect(out).toContain(
      "Every batch of records failed: the processor probably rejects the payload",
    );
    expect(out).toContain("--records FILE");
    expect(out).toContain("--payload json");
  });

  it("passes with --payload json", async () => {
    const args = [...ONLY, "--payload", "json", "--", ...(await picky("text"))];
    const { out, exitCode } = await runCommand(conformanceCommand(), args);
    expect(out).toContain("2 passed, 0 failed");
    expect(out).not.toContain("Every batch");
    expect(exitCode).toBe(0);
  });

  it("passes with records of its own", async () => {
    const records = join(await temporaryFolder(), "orders.ndjson");
    await writeFile(records, '{"json":{"order":"a"}}\n{"json":{"order":"b"}}\n');
    const args = [...ONLY, "--records", records, "--", ...(await picky("order"))];
    const { out, exitCode } = await runCommand(conformanceCommand(), args);
    expect(out).toContain("2 passed, 0 failed");
    expect(exitCode).toBe(0);
  });

  it("gets the same hint when its own records fail", async () => {
    const args = [...ONLY, "--payload", "json", "--json", "--", ...(await picky("order"))];
    const { out } = await runCommand(conformanceCommand(), args);
    expect(JSON.parse(out).advice).toContain("Every batch of records failed");
  });

  it.each([
    ["--payload", "json", "--records", "x"],
    ["--records", "/nowhere"],
  ])("%s %s is refused", async (...args) => {
    await expect(runCommand(conformanceCommand(), [...args, "--", "cat"])).rejects.toThrow();
  });
});

describe("a payload replaces the data of every record", async () => {
  const transcripts = await loadTranscripts("client");
  it.each(transcripts.map((transcript) => [transcript.name, transcript] as const))(
    "in %s",
    (_, transcript) => {
      const plain = scriptOf(transcript, transcript.dialect);
      const filled = scriptOf(transcript, transcript.dialect, () => "bmV3");
      expect(filled.length).toBe(plain.length);
      for (const [index, { text }] of filled.entries()) {
        const before = JSON.parse(plain[index]?.text ?? "");
        const after = JSON.parse(text);
        for (const record of before.records ?? []) record.data = "bmV3";
        expect(after).toEqual(before);
      }
    },
  );

  it("and replaces nothing else", () => {
    const line =
      '{"action":"processRecords","records":[{"partitionKey":"\\"data\\":\\"QQ==\\"","data":"QQ=="}]}';
    expect(withPayload(line, () => "Qg==")).toBe(line.replace('"data":"QQ=="', '"data":"Qg=="'));
  });
});
