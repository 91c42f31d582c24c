// Runs the examples in README.md and docs/*.md, and compares or writes what they print.
//
//   node docs/examples.mjs [PAGE...]            write the real output into the pages
//   node docs/examples.mjs --check [PAGE...]    exit with 1 where a page shows something else
//
// A comment before a fenced block says what to do with it:
//
//   <!-- file NAME -->       save the block as NAME in the page's working directory
//   <!-- run -->             run the block with Bash; the next block is its output
//   <!-- run exit=1 -->      expect this exit code (0 when absent)
//   <!-- run first=9 -->     show only so many lines of the output
//   <!-- run quiet -->       run it and show nothing
//   <!-- run until=WORD -->  send SIGTERM once the output contains WORD, and show all of it
//   <!-- start until=WORD -->  show the output up to WORD, and keep it running to the page's end
//
// Every page has a new directory, and a Kinesis and a DynamoDB of its own on 127.0.0.1. Figures
// that differ from run to run (times, ids, ports, counters) do not count as a difference, nor does
// the order of lines, because what a child prints arrives beside its messages, nor do warnings in a
// log, because a busy machine causes some.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const MAIN = join(ROOT, "dist", "main.js");
const LIMIT_MS = 120_000;
const POLL_MS = 100;
/** A fenced block with the comment before it. */
const BLOCK = /(?:^<!-- (.+) -->\n+)?^```(\w*)\n([\s\S]*?)^```$/gm;

const args = process.argv.slice(2);
const isCheck = args.includes("--check");
const named = args.filter((each) => each !== "--check");
let differences = 0;
for (const page of named.length > 0 ? named : await pagesWithExamples()) await handle(page);
process.exitCode = differences > 0 ? 1 : 0;

async function pagesWithExamples() {
  const docs = (await readdir(join(ROOT, "docs"))).filter((name) => name.endsWith(".md"));
  const pages = ["README.md", ...docs.sort().map((name) => `docs/${name}`)];
  const texts = await Promise.all(pages.map((page) => readFile(join(ROOT, page), "utf8")));
  return pages.filter((_, index) => /^<!-- (run|start)\b/m.test(texts[index] ?? ""));
}

async function handle(page) {
  const file = join(ROOT, page);
  const text = await readFile(file, "utf8");
  const stage = await openStage();
  try {
    const after = await withRealOutput(text, stage, page);
    if (after !== text && !isCheck) await writeFile(file, after);
  } finally {
    await stage.close();
  }
}

/** The page with each output block that differs in more than figures replaced. */
async function withRealOutput(text, stage, page) {
  const blocks = [...text.matchAll(BLOCK)];
  let result = "";
  let copied = 0;
  for (const [index, block] of blocks.entries()) {
    const [, directive = "", , body = ""] = block;
    const [verb, ...rest] = directive.split(" ");
    if (verb === "file") await writeFile(join(stage.folder, rest.join(" ")), body);
    if (verb !== "run" && verb !== "start") continue;
    const output = await stage.run(body, optionsOf(rest), verb === "start");
    if (rest.includes("quiet")) continue;
    const shown = blocks[index + 1];
    if (!shown) throw new Error(`${page}: no output block follows\n${body}`);
    if (steady(shown[3]) === steady(output)) continue;
    differences += 1;
    console.error(`${page}: ${body.trim()}\n--- shown\n${shown[3]}--- printed\n${output}`);
    const start = shown.index + shown[0].lastIndexOf(`${shown[3]}\`\`\``);
    result += text.slice(copied, start) + output;
    copied = start + shown[3].length;
  }
  return result + text.slice(copied);
}

function optionsOf(words) {
  return Object.fromEntries(words.map((word) => word.split("=")));
}

/** The text without what differs from run to run. */
function steady(text) {
  return text
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z?/g, "TIME")
    .replace(/\d\d:\d\d:\d\d\.\d{3}/g, "TIME")
    .replace(/[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}/g, "UUID")
    .replace(/127\.0\.0\.1:\d+/g, "HOST")
    .replace(/…\d+|\d{20,}/g, "NUMBER")
    .replace(/\b(pid|child) \d+/gi, "$1 N")
    .replace(/[<>]?\b\d[\d.,]*(?= ?(?:ms|s|h|\/s)\b)/g, "N")
    .replace(/\d{8}T?\d{6}\w*/g, "TIME")
    .replace(/^(shardId-.*?) +\d+$/gm, "$1 N")
    .replace(/^TIME WARN .*$/gm, "")
    .replace(/ +/g, " ")
    .trim()
    .split("\n")
    .sort()
    .join("\n");
}

async function openStage() {
  const folder = await mkdtemp(join(tmpdir(), "kinesis-multilang-docs-"));
  await writeFile(join(folder, "kinesis-multilang"), `#!/bin/sh\nexec node ${MAIN} "$@"\n`, {
    mode: 0o755,
  });
  for (const name of ["clients", "protocol"]) await symlink(join(ROOT, name), join(folder, name));
  const services = start("kinesis-multilang local", folder, process.env);
  const printed = await seen(services, "streamName|retrievalMode");
  const [kinesis, dynamo] = [...printed.matchAll(/export AWS_ENDPOINT\w+=(\S+)/g)].map(
    ([, url]) => url,
  );
  const env = {
    ...process.env,
    AWS_ENDPOINT_URL_KINESIS: kinesis,
    AWS_ENDPOINT_URL_DYNAMODB: dynamo,
    AWS_REGION: "eu-west-1",
    AWS_ACCESS_KEY_ID: "local",
    AWS_SECRET_ACCESS_KEY: "local",
    NO_COLOR: "1",
  };
  const running = [];
  const pretty = (text) =>
    text
      .replaceAll(kinesis, "http://127.0.0.1:4567")
      .replaceAll(dynamo, "http://127.0.0.1:8000")
      .replaceAll(`${folder}/`, "")
      .replace(/\S+\/python3(?= )/g, "/usr/bin/python3")
      .replace(/[ \t]+$/gm, "")
      .replace(/^\n+|\n+$/g, "")
      .concat("\n");
  return {
    folder,
    async run(body, { exit = "0", first, until }, isKept) {
      const child = start(body, folder, env);
      if (until) await seen(child, until);
      if (isKept) running.push(child);
      else if (until) process.kill(-child.process.pid, "SIGTERM");
      const code = isKept ? 0 : await ended(child);
      if (!until && code !== Number(exit)) {
        throw new Error(`${body} ended with ${code}:\n${child.output}`);
      }
      const lines = pretty(child.output).split("\n");
      return first && lines.length > Number(first) + 1
        ? [...lines.slice(0, Number(first)), "…", ""].join("\n")
        : lines.join("\n");
    },
    async close() {
      for (const child of [...running.reverse(), services]) {
        if (child.process.exitCode === null) process.kill(-child.process.pid, "SIGTERM");
        await ended(child);
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Bash in a process group of its own, with both outputs in one. */
function start(body, folder, env) {
  const child = { process: undefined, output: "", closed: undefined };
  child.process = spawn("bash", ["-c", `exec 2>&1\n${body}`], {
    cwd: folder,
    env: { ...env, PATH: `${folder}:${process.env.PATH}` },
    stdio: ["ignore", "pipe", "inherit"],
    detached: true,
  });
  child.process.stdout.setEncoding("utf8").on("data", (text) => {
    child.output += text;
  });
  child.closed = once(child.process, "close");
  return child;
}

async function seen(child, pattern) {
  for (const end = Date.now() + LIMIT_MS; Date.now() < end; await delay(POLL_MS)) {
    if (new RegExp(pattern).test(child.output)) return child.output;
    if (child.process.exitCode !== null) break;
  }
  throw new Error(`"${pattern}" did not come:\n${child.output}`);
}

async function ended(child) {
  const timer = setTimeout(() => process.kill(-child.process.pid, "SIGKILL"), LIMIT_MS);
  const [code] = await child.closed;
  clearTimeout(timer);
  return code;
}
