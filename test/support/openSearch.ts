// A real OpenSearch from Maven, for the tests of connectors.

import { cp, mkdir, mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import type { Missing } from "./python.ts";

const SOURCE = join(import.meta.dirname, "openSearch");
const BUILD = join(import.meta.dirname, "../../.cache/kinesis-multilang/openSearch");
/** The first run on a machine downloads 45 MB. */
const BUILD_LIMIT_MS = 400_000;
const START_LIMIT_MS = 180_000;

export interface OpenSearch {
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts a node, or returns why there is none. */
export async function openSearchOrReason(): Promise<OpenSearch | Missing> {
  await mkdir(BUILD, { recursive: true });
  await cp(SOURCE, BUILD, { recursive: true });
  const args = ["-q", "-B", "package", "dependency:copy-dependencies"];
  const options = { cwd: BUILD, reject: false, all: true, stdin: "ignore" } as const;
  const built = await execa("mvn", args, { ...options, timeout: BUILD_LIMIT_MS });
  if (built.exitCode !== 0) {
    const last = built.all?.trim().split("\n").at(-1) ?? built.message;
    return { missing: `OpenSearch needs a JDK 17 and Maven, and Maven Central: ${last}` };
  }
  return start();
}

async function start(): Promise<OpenSearch> {
  const home = await mkdtemp(join(tmpdir(), "kinesis-multilang-opensearch-"));
  const port = await freePort();
  const classPath = `${BUILD}/target/classes:${BUILD}/target/dependency/*`;
  const node = execa("java", ["-Xmx512m", "-cp", classPath, "SearchNode", home, String(port)], {
    stdin: "ignore",
    all: true,
    buffer: false,
    reject: false,
  });
  let output = "";
  const stop = async () => {
    node.kill("SIGKILL");
    await node;
    await rm(home, { recursive: true, force: true });
  };
  await new Promise<void>((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`OpenSearch ${why}:\n${output}`));
    const limit = setTimeout(() => fail("did not start in time"), START_LIMIT_MS);
    void node.then(() => fail("ended"));
    node.all.on("data", (chunk) => {
      output = (output + String(chunk)).slice(-10_000);
      if (!/^started$/m.test(output)) return;
      clearTimeout(limit);
      resolve();
    });
  }).catch(async (error) => {
    await stop();
    throw error;
  });
  return { url: `http://127.0.0.1:${port}`, stop };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
