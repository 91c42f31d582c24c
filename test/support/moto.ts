// SQS, SNS and S3 for tests: moto's server, installed with pip into a cache and started on a free
// port.

import { access, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import split2 from "split2";
import { type Missing, type Python, pythonOrReason } from "./python.ts";

/** To try a new version, change this line. */
const VERSION = "5.2.1";
const PACKAGES = [`moto[s3,sqs]==${VERSION}`, "flask", "flask-cors"];
const CACHE = join(import.meta.dirname, "../../.cache/kinesis-multilang");
const INSTALL_LIMIT_MS = 240_000;
const START_LIMIT_MS = 120_000;

export interface Moto {
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts a server, or returns why there is none. */
export async function motoOrReason(): Promise<Moto | Missing> {
  const python = await pythonOrReason();
  if ("missing" in python) return python;
  const library = join(CACHE, `moto-${VERSION}`);
  const problem = (await exists(library)) ? undefined : await install(python, library);
  return problem ?? start(python, library);
}

async function install(python: Python, library: string): Promise<Missing | undefined> {
  await mkdir(CACHE, { recursive: true });
  const draft = await mkdtemp(join(CACHE, "install-"));
  try {
    const installed = await execa(
      python.command,
      ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", draft].concat(
        PACKAGES,
      ),
      { reject: false, all: true, timeout: INSTALL_LIMIT_MS },
    );
    if (installed.exitCode !== 0) {
      const last = installed.all?.trim().split("\n").at(-1) ?? installed.message;
      return { missing: `moto ${VERSION} cannot be installed with pip: ${last}` };
    }
    // Another test file may have been faster. Its copy is equivalent.
    await rename(draft, library).catch(async (error) => {
      if (!(await exists(library))) throw error;
    });
    return undefined;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function start(python: Python, library: string): Promise<Moto> {
  const server = execa(python.command, ["-m", "moto.server", "-H", "127.0.0.1", "-p", "0"], {
    env: { PYTHONPATH: library, PYTHONUNBUFFERED: "1", PYTHONDONTWRITEBYTECODE: "1" },
    stdin: "ignore",
    all: true,
    buffer: false,
    reject: false,
  });
  const said: string[] = [];
  const url = await new Promise<string>((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`moto ${why}:\n${said.join("\n")}`));
    const limit = setTimeout(() => fail("did not start in time"), START_LIMIT_MS);
    void server.then(() => fail("ended"));
    server.all.pipe(split2()).on("data", (line: string) => {
      said.push(line);
      const [, found] = /Running on (http:\/\/127\.0\.0\.1:\d+)/.exec(line) ?? [];
      if (!found) return;
      clearTimeout(limit);
      resolve(found);
    });
  });
  return {
    url,
    stop: async () => {
      server.kill("SIGKILL");
      await server;
    },
  };
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
