import { execa, type Options } from "execa";
import { describe, expect, it } from "vitest";
import { MAIN } from "../support/daemon.ts";
import {
  createStream,
  emulatorEnv,
  shardsOf,
  uniqueName,
  until,
  wordsIn,
} from "../support/emulators.ts";

function put(args: readonly string[], options: Options = {}) {
  return execa(process.execPath, [MAIN, "put", ...args], {
    env: emulatorEnv(),
    reject: false,
    stdin: "ignore",
    stripFinalNewline: true,
    ...options,
  });
}

const sorted = async (stream: string) => [...(await wordsIn(stream))].sort();

describe("put", () => {
  it("puts the given words once, into a stream that it creates", async () => {
    const stream = uniqueName("put");
    const ended = await put([
      "--stream",
      stream,
      "--create",
      "--shards",
      "2",
      "-w",
      "cat",
      "-w",
      "dog",
      "-w",
      "cat",
    ]);
    expect(ended).toMatchObject({ exitCode: 0, stdout: "" });
    expect(ended.stderr).toMatch(
      new RegExp(`^Created stream ${stream} with 2 shards\n.*3 records.*: cat 2, dog 1$`),
    );
    expect(await sorted(stream)).toEqual(["cat", "cat", "dog"]);
    expect(await shardsOf(stream)).toHaveLength(2);
  });

  it("puts random words repeatedly, until the count", async () => {
    const stream = await createStream("put", 1);
    const ended = await put([
      "-s",
      stream,
      "-p",
      "0.01",
      "-w",
      "cat",
      "dog",
      "bird",
      "--count",
      "25",
    ]);
    expect(ended.exitCode, String(ended.stderr)).toBe(0);
    const words = await sorted(stream);
    expect(words).toHaveLength(25);
    expect(new Set(words).size).toBeGreaterThan(1);
    for (const word of words) expect(["cat", "dog", "bird"]).toContain(word);
  });

  it("puts each line of STDIN, in calls that Kinesis accepts", async () => {
    const stream = await createStream("put", 3);
    const lines = Array.from({ length: 1_300 }, (_, i) => `line ${i} é`);
    const ended = await put(["--stream", stream], {
      stdin: "pipe",
      input: `${lines.join("\n\n")}`,
    });
    expect(ended.exitCode, String(ended.stderr)).toBe(0);
    expect(await sorted(stream)).toEqual(lines.sort());
  });

  it("sends a word to its own shard with --key word", async () => {
    const stream = await createStream("put", 8);
    await put(["--stream", stream, "--key", "word", "-w", "cat", "-w", "other", "--count", "100"]);
    const shardsByWord = await wordsByShard(stream);
    expect(shardsByWord.get("cat")?.size).toBe(1);
    const spread = await createStream("put", 8);
    await put(["--stream", spread, "-w", "cat", "--count", "100"]);
    expect((await wordsByShard(spread)).get("cat")?.size).toBeGreaterThan(4);
  });

  it.each(["SIGINT", "SIGTERM"] as const)(
    "ends cleanly on %s, with all that it counted stored",
    async (signal) => {
      const stream = await createStream("put", 1);
      const putting = put(["--stream", stream, "--rate", "200", "-w", "cat"]);
      await until("some words to arrive", async () => (await wordsIn(stream)).length > 20);
      putting.kill(signal);
      const ended = await putting;
      expect(ended.exitCode, String(ended.stderr)).toBe(0);
      const told = Number(/: (\d+) records/.exec(String(ended.stderr))?.[1]);
      expect(await wordsIn(stream)).toHaveLength(told);
    },
  );

  it("ends on SIGINT although STDIN stays open", async () => {
    const stream = await createStream("put", 1);
    const putting = put(["--stream", stream], { stdin: "pipe" });
    putting.stdin?.write("first\n");
    await until("the first line to arrive", async () => (await wordsIn(stream)).length === 1);
    putting.kill("SIGINT");
    expect((await putting).exitCode).toBe(0);
  });

  it.each([
    [
      "a missing stream",
      ["--stream", "nowhere", "-w", "a"],
      {},
      /no stream nowhere in us-east-1 .*--create/,
    ],
    [
      "an endpoint out of reach",
      ["--stream", "s", "-w", "a", "--endpoint", "http://127.0.0.1:1"],
      {},
      /http:\/\/127\.0\.0\.1:1 refused the connection.*--endpoint/,
    ],
    [
      "a period that is no number",
      ["--stream", "s", "-w", "a", "-p", "often"],
      {},
      /'-p, --period <seconds>' argument 'often'.*from 0\.001/,
    ],
    [
      "a count that is no whole number",
      ["--stream", "s", "-w", "a", "--count", "1.5"],
      {},
      /--count <n>.*a whole number from 1/,
    ],
    [
      "an endpoint that is not a URL",
      ["--stream", "s", "-w", "a", "--endpoint", "localhost"],
      {},
      /--endpoint.*http:\/\/127/,
    ],
    ["no stream", ["-w", "a"], {}, /--stream/],
    [
      "no region",
      ["--stream", "s", "-w", "a"],
      {
        AWS_REGION: "",
        AWS_ENDPOINT_URL_KINESIS: "",
        AWS_EC2_METADATA_DISABLED: "true",
        AWS_CONFIG_FILE: "/nonexistent",
      },
      /no AWS region.*--region/,
    ],
    [
      "no credentials",
      ["--stream", "s", "-w", "a", "--endpoint", "http://192.0.2.1:1"],
      {
        AWS_ACCESS_KEY_ID: "",
        AWS_SECRET_ACCESS_KEY: "",
        AWS_EC2_METADATA_DISABLED: "true",
        AWS_SHARED_CREDENTIALS_FILE: "/nonexistent",
        AWS_CONFIG_FILE: "/nonexistent",
      },
      /no AWS credentials found/,
    ],
  ])("explains %s", async (_, args, env, message) => {
    const ended = await put(args, { env: { ...emulatorEnv(), ...env } });
    expect(ended.exitCode).toBe(1);
    expect(ended.stderr).toMatch(message);
    expect(ended.stderr).not.toMatch(/\n\s+at /);
  });
});

async function wordsByShard(stream: string): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const found = new Map<string, Set<string>>();
  for (const { ShardId } of await shardsOf(stream)) {
    for (const word of await wordsIn(stream, ShardId)) {
      found.set(word, (found.get(word) ?? new Set()).add(ShardId ?? ""));
    }
  }
  return found;
}
