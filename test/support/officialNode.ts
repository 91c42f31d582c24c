// The official aws-kcl for Node as published, and processors that use it.

import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import * as z from "zod";
import { TOOLS_CACHE } from "./toolchains.ts";

/** The installed package is compared with these. To try a new version, change both. */
const VERSION = "2.3.2";
const INTEGRITY =
  "sha512-ABp4stTVzVhYM8OwvXgXrSybH7bOqvpQmiLiqqnuFbJLCKD6gGHoPeQqZ/zvmW4ZWbjJGZgDWpGSBtQxIarXew==";
const INSTALL_LIMIT_MS = 120_000;

/** Programs that require the package, by the style of their processor. */
export interface OfficialNode {
  /** The example in the package's README, unchanged: it answers `shardEnded` twice. */
  readonly example: string;
  /** With `leaseLost` and `shardEnded`. */
  readonly newStyle: string;
  /** With `shutdown` and a reason for both, as before version 2. */
  readonly oldStyle: string;
}

/** Installs the package once, from npm's configured registry. */
export async function officialNodeOrReason(): Promise<OfficialNode | { readonly missing: string }> {
  const folder = join(TOOLS_CACHE, `aws-kcl-${VERSION}`);
  const found = await programsIn(folder);
  if (found) return found;
  await mkdir(TOOLS_CACHE, { recursive: true });
  const draft = await mkdtemp(join(TOOLS_CACHE, "aws-kcl-"));
  try {
    await writeFile(join(draft, "package.json"), '{ "private": true }\n');
    const install = [
      "install",
      `aws-kcl@${VERSION}`,
      "--ignore-scripts",
      "--no-audit",
      "--no-fund",
    ];
    const installed = await execa("npm", install, {
      cwd: draft,
      reject: false,
      all: true,
      timeout: INSTALL_LIMIT_MS,
    });
    if (installed.exitCode !== 0) {
      const last = installed.all.trim().split("\n").at(-1) ?? "";
      return { missing: `aws-kcl ${VERSION} cannot be installed with npm: ${last}` };
    }
    await checkIntegrity(draft);
    await writeFile(join(draft, "example.cjs"), await readmeProgram(draft));
    await writeFile(join(draft, "newStyle.cjs"), PROGRAM + NEW_STYLE);
    await writeFile(join(draft, "oldStyle.cjs"), PROGRAM + OLD_STYLE);
    // Another run may have been faster. Its copy is equivalent.
    await rename(draft, folder).catch(() => {});
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return (await programsIn(folder)) ?? { missing: `${folder} is not there after its installation` };
}

async function programsIn(folder: string): Promise<OfficialNode | undefined> {
  const programs = {
    example: join(folder, "example.cjs"),
    newStyle: join(folder, "newStyle.cjs"),
    oldStyle: join(folder, "oldStyle.cjs"),
  };
  return readFile(programs.oldStyle).then(
    () => programs,
    () => undefined,
  );
}

const Lock = z.looseObject({
  packages: z.record(z.string(), z.looseObject({ integrity: z.string().optional() })),
});

async function checkIntegrity(folder: string): Promise<void> {
  const lock = Lock.parse(JSON.parse(await readFile(join(folder, "package-lock.json"), "utf8")));
  const integrity = lock.packages["node_modules/aws-kcl"]?.integrity;
  if (integrity !== INTEGRITY)
    throw new Error(`aws-kcl ${VERSION} is ${integrity}, not ${INTEGRITY}`);
}

/** The package ships no sample, so the complete program in its README is used. */
async function readmeProgram(folder: string): Promise<string> {
  const readme = await readFile(join(folder, "node_modules", "aws-kcl", "README.md"), "utf8");
  const program = /```javascript\n(var kcl = require\('aws-kcl'\);[\s\S]*?\.run\(\);\n)```/.exec(
    readme,
  )?.[1];
  if (program === undefined) throw new Error("aws-kcl's README shows no program any more");
  return program;
}

const PROGRAM = `
const kcl = require("aws-kcl");

const store = (checkpointer, completeCallback) => checkpointer.checkpoint(() => completeCallback());
const common = {
  initialize(input, completeCallback) {
    completeCallback();
  },
  processRecords({ records, checkpointer }, completeCallback) {
    const last = records.at(-1);
    if (!last) return completeCallback();
    checkpointer.checkpoint(last.sequenceNumber, () => completeCallback());
  },
  shutdownRequested: ({ checkpointer }, completeCallback) => store(checkpointer, completeCallback),
};
`;

const NEW_STYLE = `
kcl({
  ...common,
  leaseLost: (input, completeCallback) => completeCallback(),
  shardEnded: ({ checkpointer }, completeCallback) => store(checkpointer, completeCallback),
}).run();
`;

const OLD_STYLE = `
kcl({
  ...common,
  shutdown({ reason, checkpointer }, completeCallback) {
    if (reason === "TERMINATE") store(checkpointer, completeCallback);
    else completeCallback();
  },
}).run();
`;
