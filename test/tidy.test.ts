// The rules of the house that no compiler checks: which folder may import which, which folder a
// package belongs to, which files may read the clock, and how wide a line of prose is. Biome checks
// import cycles and the length of files and functions. docs/design.md has the map.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "..");

/** Files at the root of src. Everyone may import them; they import only each other and model/. */
const LEAVES = [
  "nearest",
  "plural",
  "privateSocket",
  "processUsage",
  "buffers",
  "clock",
  "events",
  "heldSignals",
  "inParallel",
  "latch",
  "lines",
  "wakeUp",
  "package",
  "redact",
  "retry",
  "signals",
];

/** The rooms, from the ground up, and which others each may import. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  model: [],
  config: ["model"],
  records: ["model"],
  aws: ["model", "config"],
  // The three strangers: none of them knows another.
  stream: ["model", "records", "aws"],
  child: ["model"],
  leases: ["model", "aws"],
  // Only shard/ knows all three, and each by its port.
  shard: ["model", "stream", "child", "leases"],
  listeners: ["model"],
  local: ["model"],
  transcript: ["model", "child", "producer"],
  producer: ["model", "config", "records", "aws"],
  sinks: ["model", "config", "aws", "producer"],
  connectors: ["model", "config", "aws", "sinks"],
  put: ["model", "aws", "producer"],
  try: ["model", "child", "leases", "shard", "stream", "transcript"],
  deadLetters: ["model", "aws", "child", "producer", "put", "sinks"],
  operator: ["model", "records", "aws", "config", "leases", "sinks", "stream"],
  sample: ["model", "aws", "config", "leases", "local", "producer", "put"],
  host: ["model", "config", "aws", "stream", "child", "leases", "shard", "sinks", "listeners"],
  status: ["model", "listeners"],
  top: ["model", "config", "operator", "status"],
};

/** What shard/ may know of the three strangers: their ports. */
const PORTS_FOR_SHARD = [
  "stream/reader",
  "child/recordProcessor",
  "child/childFailed",
  "child/dialect",
  "child/messages",
  "leases/heldLease",
];

/** Which folders may import a package. A second folder needs a reason beside it. */
const HOMES: Readonly<Record<string, readonly string[]>> = {
  // Checks what comes from outside, wherever that is.
  zod: [
    "child",
    "config",
    "deadLetters",
    "operator",
    "package",
    "producer",
    "sample",
    "records",
    "transcript",
    "try",
  ],
  commander: ["commands", "main"],
  // Our own client: a connector is a record processor like any other.
  "#client": ["connectors"],
  "@marcbachmann/cel-js": ["connectors"],
  // sample/ starts the daemon as a user would.
  execa: ["child", "sample"],
  split2: ["sample"],
  "@aws-sdk/core": ["aws"],
  "@aws-sdk/credential-providers": ["aws"],
  "@smithy/node-http-handler": ["aws"],
  // aws/ makes the clients; whoever makes a call names its command.
  "@aws-sdk/client-kinesis": [
    "aws",
    "host",
    "operator",
    "producer",
    "put",
    "sample",
    "sinks",
    "stream",
  ],
  "@aws-sdk/client-dynamodb": ["aws", "leases", "operator"],
  "@aws-sdk/client-cloudwatch": ["aws"],
  "@opentelemetry/api": ["listeners"],
  "@opentelemetry/exporter-metrics-otlp-http": ["listeners"],
  "@opentelemetry/resources": ["listeners"],
  "@opentelemetry/sdk-metrics": ["listeners"],
  "@aws-sdk/client-s3": ["connectors", "deadLetters", "sinks"],
  "@aws-sdk/lib-storage": ["connectors"],
  "@aws-sdk/client-sns": ["sinks"],
  "@aws-sdk/client-sqs": ["deadLetters", "sinks"],
};

/** Time is an argument: these alone may look at a clock or set a timer of the runtime. */
const MAY_TELL_TIME = [
  "src/clock.ts",
  "src/stream/polling/waitingRoom.ts",
  "src/local/",
  "src/transcript/",
  "src/try/",
  "src/commands/",
  "src/operator/",
  "src/aws/",
  "src/host/ending.ts",
  // Runs in the browser.
  "src/status/page/",
];
const MAY_PRINT = ["src/main.ts", "src/commands/", "src/operator/target.ts"];

interface Source {
  readonly path: string;
  readonly text: string;
}

const tracked = execFileSync("git", ["ls-files"], { cwd: ROOT, encoding: "utf8" }).split("\n");
const read = (path: string): Source => ({ path, text: readFileSync(join(ROOT, path), "utf8") });
const sources = tracked.filter((path) => /^src\/.*\.ts$/.test(path)).map(read);
const tests = tracked.filter((path) => /^test\/.*\.ts$/.test(path)).map(read);
const pages = tracked.filter((path) => /\.md$/.test(path)).map(read);

/** "src/stream/polling/x.ts" is in the room "stream"; "src/clock.ts" is its own, "clock". */
function roomOf(path: string): string {
  const [, first = "", ...rest] = path.split("/");
  return rest.length === 0 ? first.replace(/\.ts$/, "") : first;
}

function imports({ path, text }: Source): string[] {
  const named = text.matchAll(/(?:^(?:import|\}|export).* from |\bimport\()"([^"\n]+)"/gm);
  return [...named].map(([, name = ""]) =>
    name.startsWith(".") ? normalize(join(dirname(path), name)) : name,
  );
}

const inside = sources.flatMap((source) =>
  imports(source)
    .filter((to) => to.startsWith("src/"))
    .map((to) => ({ from: source.path, to })),
);

describe("who imports whom", () => {
  it("keeps everything in a room, but for the entry and the leaves", () => {
    const loose = sources
      .filter(({ path }) => path.split("/").length === 2)
      .map(({ path }) => path);
    const allowed = ["start", "main", ...LEAVES].map((name) => `src/${name}.ts`);
    expect(loose.filter((path) => !allowed.includes(path))).toEqual([]);
  });

  it("lets a room import only what lies below it", () => {
    const wrong = inside.filter(({ from, to }) => {
      const [here, there] = [roomOf(from), roomOf(to)];
      if (here === there || ["start", "main", "commands"].includes(here)) return false;
      if (LEAVES.includes(here)) return there !== "model" && !LEAVES.includes(there);
      if (LEAVES.includes(there)) return false;
      return !MAY_IMPORT[here]?.includes(there);
    });
    expect(wrong).toEqual([]);
  });

  it("lets shard/ know the three strangers by their ports alone", () => {
    const strangers = ["stream", "child", "leases"];
    const wrong = inside.filter(
      ({ from, to }) =>
        roomOf(from) === "shard" &&
        strangers.includes(roomOf(to)) &&
        !PORTS_FOR_SHARD.some((port) => to === `src/${port}.ts`),
    );
    expect(wrong).toEqual([]);
  });

  it("lets nobody import commands/ but the entry", () => {
    const wrong = inside.filter(
      ({ from, to }) => roomOf(to) === "commands" && !["commands", "main"].includes(roomOf(from)),
    );
    expect(wrong).toEqual([]);
  });

  it("imports each package where it is at home", () => {
    const wrong = sources.flatMap((source) =>
      imports(source)
        .filter((name) => !name.startsWith("src/") && !name.startsWith("node:"))
        .map((name) =>
          name
            .split("/")
            .slice(0, name.startsWith("@") ? 2 : 1)
            .join("/"),
        )
        .filter((name) => !HOMES[name]?.includes(roomOf(source.path)))
        .map((name) => `${source.path} imports ${name}`),
    );
    expect(wrong).toEqual([]);
  });
});

describe("who touches the surroundings", () => {
  const isIn = (path: string, places: readonly string[]) =>
    places.some((place) => path.startsWith(place));

  it.each([
    [
      "look at a clock or set a timer",
      /\bDate\.now\b|\bperformance\.now\b|\bsetTimeout\(|\bsetInterval\(/,
      MAY_TELL_TIME,
    ],
    ["print", /\bconsole\.\w+\(/, MAY_PRINT],
    [
      "end the process",
      /\bprocess\.exit\(/,
      ["src/start.ts", "src/commands/", "src/local/loopbackProcess.ts"],
    ],
  ] as const)("lets only a few files %s", (_, pattern, places) => {
    const wrong = sources.filter(({ path, text }) => pattern.test(text) && !isIn(path, places));
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });
});

describe("prose", () => {
  const WIDTH = 100;
  const isComment = (line: string) => /^\s*(\/\/|\/?\*)/.test(line);
  const tooWide = ({ path, text }: Source, counts: (line: string) => boolean) =>
    text
      .split("\n")
      .flatMap((line, index) =>
        counts(line) && [...line].length > WIDTH && !/https?:\S{60,}/.test(line)
          ? [`${path}:${index + 1}`]
          : [],
      );

  it("ends its lines at 100 columns in comments", () => {
    expect([...sources, ...tests].flatMap((source) => tooWide(source, isComment))).toEqual([]);
  });

  it("ends its lines at 100 columns in pages, tables and quoted output apart", () => {
    const wrong = pages.flatMap((page) => {
      let isCode = false;
      return tooWide(page, (line) => {
        if (/^\s*```/.test(line)) isCode = !isCode;
        return !isCode && !/^\s*\|/.test(line);
      });
    });
    expect(wrong).toEqual([]);
  });
});
