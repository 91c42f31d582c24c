// Python and the official amazon_kclpy, for the tests that need them. If one is not available, its
// reason is returned.

import { createHash } from "node:crypto";
import { access, mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";

export interface Missing {
  /** The reason, for the reader of the test report. */
  readonly missing: string;
}

export interface Python {
  readonly command: string;
  readonly version: string;
}

const OLDEST = [3, 8] as const;
const CACHE = join(import.meta.dirname, "../../.cache/kinesis-multilang");
const DOWNLOAD_LIMIT_MS = 120_000;

export async function pythonOrReason(): Promise<Python | Missing> {
  const command = process.env["PYTHON"] ?? "python3";
  const asked = await execa(
    command,
    ["-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])"],
    { reject: false },
  );
  if (asked.exitCode !== 0) return { missing: `no Python: ${command} cannot be run` };
  const [major = 0, minor = 0] = asked.stdout.split(".").map(Number);
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
    return { missing: `Python ${asked.stdout} is older than ${OLDEST.join(".")}` };
  }
  return { command, version: asked.stdout };
}

/**
 * The official library as published, byte by byte: the current version, the last one for KCL 1.x,
 * and an early one.
 */
const KCLPY_SHA256 = {
  "3.2.0": "62e81cc84714c920fe6aa5d61837b298fe7e01f6326dcb564b12ab8e6c4aca4e",
  "1.5.0": "b20a1fa30ab531206b2f049ec23e107037c6a1dbe13aa4f990fc4da3ec44dee7",
  "1.3.1": "ee395ff9580e78f1ffe4c07d913ebddc5fc9c48a88f23f5cbde6b32bfc055d25",
} as const;

type KclpyVersion = keyof typeof KCLPY_SHA256;

export interface OfficialKclpy {
  readonly python: Python;
  /** Holds the package `amazon_kclpy`, for PYTHONPATH. */
  readonly libraryPath: string;
  readonly sampleApp: string;
  readonly version: string;
}

/**
 * Downloads amazon_kclpy's source distribution once and unpacks it into a cache. It is not
 * installed, because its installer downloads the jars of the Java daemon, which ours replaces. Its
 * files run unchanged.
 */
export async function officialKclpyOrReason(
  version: KclpyVersion = "3.2.0",
): Promise<OfficialKclpy | Missing> {
  const python = await pythonOrReason();
  if ("missing" in python) return python;
  const unpacked = join(CACHE, `amazon_kclpy-${version}`);
  if (!(await exists(unpacked))) {
    const problem = await download(python, version, unpacked);
    if (problem) return problem;
  }
  return {
    python,
    libraryPath: unpacked,
    sampleApp: join(unpacked, "samples/sample_kclpy_app.py"),
    version,
  };
}

async function download(
  python: Python,
  version: KclpyVersion,
  unpacked: string,
): Promise<Missing | undefined> {
  await mkdir(CACHE, { recursive: true });
  const draft = await mkdtemp(join(CACHE, "download-"));
  try {
    const fetched = await execa(
      python.command,
      [
        "-m",
        "pip",
        "download",
        `amazon_kclpy==${version}`,
        "--no-deps",
        "--no-binary",
        ":all:",
      ].concat(["--disable-pip-version-check", "--dest", draft]),
      { reject: false, all: true, timeout: DOWNLOAD_LIMIT_MS },
    );
    const archive = (await readdir(draft)).find((name) => name.endsWith(".tar.gz"));
    if (fetched.exitCode !== 0 || archive === undefined) {
      const last = fetched.all?.trim().split("\n").at(-1) ?? fetched.message;
      return { missing: `amazon_kclpy ${version} cannot be downloaded with pip: ${last}` };
    }
    const hash = createHash("sha256")
      .update(await readFile(join(draft, archive)))
      .digest("hex");
    if (hash !== KCLPY_SHA256[version]) {
      throw new Error(`amazon_kclpy ${version} has SHA-256 ${hash}, not ${KCLPY_SHA256[version]}`);
    }
    await execa("tar", ["-xzf", join(draft, archive), "-C", draft]);
    // Another test file may have been faster. Its copy is equivalent.
    await rename(join(draft, `amazon_kclpy-${version}`), unpacked).catch(async (error) => {
      if (!(await exists(unpacked))) throw error;
    });
    return undefined;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
