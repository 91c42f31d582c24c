// `config`, `iam-policy` and `doctor` with the properties file of a producer.

import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, inject, it, onTestFinished, vi } from "vitest";
import { configCommand } from "../../src/commands/config.ts";
import { isProducerFile } from "../../src/config/producer/producerFile.ts";
import type { Finding } from "../../src/operator/doctor/finding.ts";
import { examineProducer } from "../../src/operator/doctor/producer.ts";
import { kinesisMultilang } from "../operator/tables.ts";
import { temporaryFolder as folderOfTest } from "../support/daemon.ts";
import { createStream, emulatorEnv, wordsIn } from "../support/emulators.ts";
import { startFaultProxy } from "../support/faultProxy.ts";
import { runCommand } from "./support.ts";

afterEach(() => vi.unstubAllEnvs());

async function fileOf(text: string): Promise<string> {
  const file = join(await folderOfTest(), "producer.properties");
  await writeFile(file, text);
  return file;
}

describe("a file is a producer's", () => {
  it.each([
    ["a key of the KPL", "RecordMaxBufferedTime = 100", true],
    ["our spelling", "recordMaxBufferedTime = 100", true],
    ["a key of the KPL without effect", "ThreadingModel = POOLED", true],
    ["an unknown key", "streamName = words\nrecordsPerHour = 1", false],
    ["keys of both", "streamName = words\nregionName = eu-west-1", false],
    ["a daemon's program", "executableName = cat\nrateLimit = 1", false],
    ["a daemon's application", "applicationName = a\nrateLimit = 1", false],
  ])("with %s", async (_, text, expected) => {
    expect(isProducerFile(await fileOf(text))).toBe(expected);
  });
});

describe("config", () => {
  it("shows each setting, its source, what the KPL would do, and warnings", async () => {
    const text =
      "RateLimit = 120\nspill = /var/spill\nMaxUserRecordSize = 1048576;\nAwsCredentialsProvider = StsAssumeRoleCredentialsProvider|arn:aws:iam::1:role/r|s|externalId=hush\nRecordTTL = 1\nMinConnections = 1\n";
    const file = await fileOf(text);
    const { out } = await runCommand(configCommand(), [file]);
    const lines = out.replaceAll(file, "F").replaceAll(/ +/g, " ").split("\n");
    expect(lines).toContain("rateLimit 120 F:1");
    expect(lines).toContain("recordTtl - default (KPL: 30000)");
    expect(lines).toContain("spill /var/spill F:2 (KPL: does not know it, and ignores it)");
    expect(lines).toContain("onPermanentError wait default");
    expect(lines).toContain("aggregationMaxSize 51200 default");
    expect(out).not.toContain("hush");
    expect(out).toMatch(/warning: .*:3: MaxUserRecordSize: the semicolon/);
    expect(out).toMatch(/:5: RecordTTL: unknown key, ignored; did you mean RecordTtl\?/);
    expect(out).toMatch(/:6: MinConnections: has no effect/);
    const { out: json } = await runCommand(configCommand(), ["--json", file]);
    expect(JSON.parse(json).settings).toContainEqual({
      key: "rateLimit",
      value: 120,
      source: { type: "file", file, line: 1 },
    });
  });

  it("lists every wrong value at once", async () => {
    const file = await fileOf("RateLimit = 0\nCollectionMaxCount = 501\n");
    const shown = runCommand(configCommand(), [file]);
    await expect(shown).rejects.toThrow(/:1: RateLimit: found "0"[\s\S]*:2: CollectionMaxCount/);
  });
});

describe("iam-policy", () => {
  const run = async (text: string, ...args: readonly string[]) => {
    const env = { AWS_REGION: "", AWS_CONFIG_FILE: "/nonexistent" };
    const result = await kinesisMultilang(["iam-policy", await fileOf(text), ...args], env);
    expect(result.exitCode, result.stderr).toBe(0);
    return { policy: JSON.parse(result.stdout), notes: result.stderr };
  };

  it("allows the calls of a producer, on its stream, and its metrics", async () => {
    const key = "arn:aws:kms:eu-west-1:123456789012:key/k";
    const text = "streamName = words\nRegion = eu-west-1\nMetricsNamespace = Mine\n";
    const { policy, notes } = await run(text, "-a", "123456789012", "--kms-key", key);
    expect(policy.Statement).toEqual([
      {
        Sid: "PutRecords",
        Effect: "Allow",
        Action: ["kinesis:PutRecords", "kinesis:ListShards", "kinesis:DescribeStreamSummary"],
        Resource: "arn:aws:kinesis:eu-west-1:123456789012:stream/words",
      },
      {
        Sid: "EncryptStream",
        Effect: "Allow",
        Action: ["kms:GenerateDataKey"],
        Resource: key,
        Condition: { StringEquals: { "kms:ViaService": "kinesis.eu-west-1.amazonaws.com" } },
      },
      {
        Sid: "PublishMetrics",
        Effect: "Allow",
        Action: ["cloudwatch:PutMetricData"],
        Resource: "*",
        Condition: { StringEquals: { "cloudwatch:namespace": "Mine" } },
      },
    ]);
    expect(notes).toBe("");
  });

  it("says what is open: the stream, the account, the key", async () => {
    const { policy, notes } = await run("Region = cn-north-1\nMetricsLevel = none\n");
    expect(policy.Statement).toHaveLength(1);
    expect(policy.Statement[0].Resource).toBe("arn:aws-cn:kinesis:cn-north-1:ACCOUNT_ID:stream/*");
    expect(notes).toMatch(/ACCOUNT_ID[\s\S]*every stream: set streamName[\s\S]*--kms-key/);
  });
});

describe("doctor", () => {
  async function examine(text: string, env: Readonly<Record<string, string>> = {}) {
    for (const [name, value] of Object.entries({ ...emulatorEnv(), ...env })) {
      vi.stubEnv(name, value);
    }
    const findings: Finding[] = [];
    const file = await fileOf(text);
    for await (const finding of examineProducer(file, new AbortController().signal)) {
      findings.push(finding);
    }
    return { findings, of: (check: string) => findings.find((each) => each.check === check) };
  }

  it("finds a healthy producer, and puts nothing", async () => {
    const stream = await createStream("doctor", 1);
    const spill = await folderOfTest();
    const { findings } = await examine(
      `RateLimit = 100\nstreamName = ${stream}\nspill = ${spill}\n`,
    );
    expect(findings.map(({ check, verdict }) => `${check}: ${verdict}`)).toEqual([
      "properties: ok",
      "spill directory: ok",
      "credentials: ok",
      "region: ok",
      "stream: ok",
      "permission kinesis:PutRecords: ok",
      "permission kinesis:ListShards: ok",
      "permission kinesis:DescribeStreamSummary: ok",
      "clock: ok",
    ]);
    expect(await wordsIn(stream)).toEqual([]);
  });

  it.each([
    ["PutRecords", "failed", /Allow kinesis:PutRecords/],
    ["DescribeStreamSummary", "warning", /Allow kinesis:DescribeStreamSummary/],
  ])("judges a missing permission for %s", async (operation, verdict, remedy) => {
    const proxy = await startFaultProxy(inject("kinesisUrl"));
    onTestFinished(() => proxy.stop());
    proxy.next(operation, { type: "error", name: "AccessDeniedException" }, 3);
    const stream = await createStream("doctor", 1);
    const text = `RateLimit = 100\nstreamName = ${stream}\nKinesisEndpoint = ${proxy.url}\n`;
    const finding = (await examine(text)).of(`permission kinesis:${operation}`);
    expect(finding).toMatchObject({ verdict, remedy: expect.stringMatching(remedy) });
  });

  it("reports a missing stream, wrong values, and a directory that cannot be written", async () => {
    const missing = await examine("RateLimit = 100\nstreamName = nowhere\n");
    expect(missing.of("stream")?.verdict).toBe("failed");
    expect(missing.of("permission kinesis:PutRecords")?.verdict).toBe("not checked");
    const wrong = await examine("RateLimit = 0\n");
    expect(wrong.of("properties")).toMatchObject({
      verdict: "failed",
      message: expect.stringContaining('RateLimit: found "0"'),
    });
    const folder = join(await folderOfTest(), "closed");
    await mkdir(folder);
    await chmod(folder, 0o000);
    const spill = (await examine(`spill = ${folder}/inside\nRateLimit = 100\n`)).of(
      "spill directory",
    );
    if (process.getuid?.() !== 0) expect(spill?.verdict).toBe("failed");
    const noStream = (await examine("RateLimit = 100\n")).of("stream");
    expect(noStream).toMatchObject({
      verdict: "not checked",
      message: expect.stringMatching(/streamName/),
    });
  });
});
