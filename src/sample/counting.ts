// Who counts the words: processors in a language, or a connector that writes them to a target,
// where the sample counts them.

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { countLines, readCounts } from "./counts.ts";
import { type PreparedLanguage, prepareLanguage } from "./language.ts";
import type { WordCounts } from "./view.ts";

export const CONNECT_TARGETS = ["file"] as const;
export type ConnectTarget = (typeof CONNECT_TARGETS)[number];

export interface Counting {
  /** For the title: `"python" processors count`. */
  readonly who: string;
  readonly daemonArgs: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** The words that have arrived. */
  counts(): Promise<WordCounts>;
}

type CountingBy = Counting & { readonly language?: PreparedLanguage };

export async function byProcessors(
  options: { readonly language: string; readonly produce: boolean },
  folder: string,
): Promise<CountingBy> {
  const countsFolder = join(folder, "counts");
  await mkdir(countsFolder);
  const language = await prepareLanguage(options, folder);
  return {
    who: `"${options.language}" processors count`,
    daemonArgs: ["-p", language.propertiesFile],
    cwd: language.cwd,
    env: {
      KINESIS_MULTILANG_EXECUTABLE_NAME: language.executableName,
      WORD_COUNT_DIR: countsFolder,
    },
    counts: () => readCounts(countsFolder),
    language,
  };
}

/** Properties of every connector of the sample. */
const PROPERTIES = {
  transformer: "text",
  bufferMillisecondsLimit: "500",
  initialPositionInStream: "TRIM_HORIZON",
  retrievalMode: "POLLING",
  failoverTimeMillis: "3000",
  idleTimeBetweenReadsInMillis: "300",
};

export async function byConnector(target: ConnectTarget, folder: string): Promise<CountingBy> {
  const file = join(folder, "connector.properties");
  const { properties, counts } = await openTarget(target, folder);
  const all = { connectorDestination: target, ...PROPERTIES, ...properties };
  const lines = Object.entries(all).map(([key, value]) => `${key} = ${value}\n`);
  await writeFile(file, lines.join(""));
  return {
    who: `a connector writes to ${target}`,
    daemonArgs: ["connect", "-p", file],
    cwd: folder,
    env: {},
    counts,
  };
}

interface Target {
  readonly properties: Readonly<Record<string, string>>;
  counts(): Promise<WordCounts>;
}

async function openTarget(target: ConnectTarget, folder: string): Promise<Target> {
  switch (target) {
    case "file": {
      const path = join(folder, "words.txt");
      const text = () => readFile(path, "utf8").catch(() => "");
      return { properties: { path }, counts: async () => countLines(await text()) };
    }
  }
}
