// What the pages show exists: links, commands, options, properties, and every name in backticks.

import { execFile } from "node:child_process";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, normalize } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { loadConnector } from "../../src/config/connector/loadConnector.ts";
import { loadSettings } from "../../src/config/loadSettings.ts";
import { allPages, type Block, blocksOf, type Page, proseOf, ROOT, userPages } from "./pages.ts";

const run = promisify(execFile);
const named = userPages.map((page) => [page.path, page] as const);

describe("links", () => {
  it.each(allPages.map((page) => [page.path, page] as const))("in %s lead somewhere", (_, page) => {
    expect(linksOf(page).filter((link) => !leadsSomewhere(page, link))).toEqual([]);
  });
});

function linksOf(page: Page): string[] {
  const prose = proseOf(page).replace(/`[^`\n]*`/g, "");
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link = ""]) => link)
    .filter((link) => !/^[a-z]+:/.test(link));
}

function leadsSomewhere({ path }: Page, link: string): boolean {
  const [file = "", anchor] = link.split("#");
  const target = file === "" ? path : normalize(join(dirname(path), file));
  const absolute = join(ROOT, target);
  if (!existsSync(absolute)) return false;
  if (anchor === undefined) return true;
  const page = statSync(absolute).isDirectory() ? join(absolute, "README.md") : absolute;
  return anchorsOf(readFileSync(page, "utf8")).has(anchor);
}

/** As GitHub makes them of headings. */
function anchorsOf(text: string): ReadonlySet<string> {
  const prose = text.replace(/^```[\s\S]*?^```$/gm, "");
  const headings = [...prose.matchAll(/^#+ +(.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{Letter}\p{Number}\s_-]/gu, "")
      .trim()
      .replace(/ /g, "-"),
  );
  return new Set(headings);
}

describe("commands", async () => {
  const help = await optionsByCommand();
  const scripts = Object.keys(packageScripts());

  it.each(named)("in %s are known, with their options", (_, page) => {
    const wrong = commandLines(page).flatMap((line) => unknownIn(line, help));
    expect(wrong).toEqual([]);
  });

  it.each(named)("of npm in %s are scripts of the package", (_, page) => {
    const called = [...page.text.matchAll(/\bnpm run (?:--silent )?([\w:]+)/g)].map(
      ([, name = ""]) => name,
    );
    expect(called.filter((name) => !scripts.includes(name))).toEqual([]);
  });

  it("have a section each in docs/commands.md", () => {
    const text = userPages.find(({ path }) => path === "docs/commands.md")?.text ?? "";
    const sections = [...text.matchAll(/^## ([\w-]+)$/gm)].map(([, name]) => name);
    const commands = [...help.keys()].filter((name) => !name.includes(" "));
    expect(sections.filter((name) => name !== "Next").sort()).toEqual(commands.sort());
  });
});

function packageScripts(): Record<string, string> {
  return JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).scripts;
}

/** What `--help` lists, for each command and each of their own commands. */
async function optionsByCommand(): Promise<Map<string, ReadonlySet<string>>> {
  const found = new Map<string, ReadonlySet<string>>();
  const listed = async (name: string, args: readonly string[]) => {
    const { stdout } = await run(process.execPath, [
      join(ROOT, "dist", "main.js"),
      ...args,
      "--help",
    ]);
    if (name) found.set(name, new Set(stdout.match(/(?<![\w-])--?[a-z][\w-]*/g)));
    const commands = /^Commands:\n([\s\S]*)/m.exec(stdout)?.[1] ?? "";
    return [...commands.matchAll(/^ {2}([a-z][\w-]*)/gm)]
      .map(([, each = ""]) => each)
      .filter((each) => each !== "help");
  };
  for (const command of await listed("", [])) {
    for (const inner of await listed(command, [command])) {
      await listed(`${command} ${inner}`, [command, inner]);
    }
  }
  return found;
}

/** Every call of the program, in blocks and in backticks. */
function commandLines(page: Page): string[] {
  const lines = blocksOf(page, "sh").flatMap(({ body }) => body.split("\n"));
  const inline = [...proseOf(page).matchAll(/`([^`\n]+)`/g)].map(([, text = ""]) => text);
  return [...lines, ...inline].flatMap((line) =>
    [...line.matchAll(/(?:^ *|[|&;] *|-- )kinesis-multilang(?= |$)(.*)/g)].map(
      ([, rest = ""]) => rest,
    ),
  );
}

/** What a call names that `--help` does not list. Everything behind `--` or `#` is not ours. */
function unknownIn(call: string, help: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const words = (call.split(/ -- | # |[|;>]| 2>/)[0] ?? "").trim().split(/ +/).filter(Boolean);
  const [first = "", second = ""] = words;
  if (first === "COMMAND" || ["--help", "--version"].includes(first)) return [];
  const isCommand = first !== "" && !first.startsWith("-") && !/[./]|^[A-Z]+$/.test(first);
  const command = isCommand ? first : "run";
  const options = help.get(`${command} ${second}`) ?? help.get(command);
  if (!options) return [`${command} is no command`];
  return words
    .filter((word) => /^--?[a-z]/.test(word))
    .map((word) => word.split("=")[0] ?? "")
    .filter((option) => !options.has(option))
    .map((option) => `${command} has no ${option}`);
}

describe("properties", () => {
  const blocks = userPages.flatMap((page) => blocksOf(page, "properties"));

  it("are shown", () => expect(blocks.length).toBeGreaterThan(5));

  it.each(blocks.map((block) => [block.path, block] as const))("in %s load", (_, block) => {
    expect(noticesOf(block)).toEqual([]);
  });
});

/** What the daemon says of the block, completed by what every file must have. */
function noticesOf({ body }: Block): readonly unknown[] {
  const required = ["executableName = true", "streamName = words", "applicationName = words"];
  const missing = required.filter((line) => !body.includes(line.split(" ")[0] ?? ""));
  const folder = mkdtempSync(join(tmpdir(), "kinesis-multilang-properties-"));
  const file = join(folder, "page.properties");
  try {
    writeFileSync(file, [...missing, body].join("\n"));
    return body.includes("connectorDestination")
      ? loadConnector({ file }, ["connector"]).daemon.warnings
      : loadSettings({ file, environment: {} }).warnings;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe("names in backticks", () => {
  const words = wordsOfTheCode();

  it.each(named)("in %s are names of the code", (_, page) => {
    const camelCase = [...proseOf(page).matchAll(/`([a-z]+(?:[A-Z][a-z0-9]*)+)(?: = [^`]*)?`/g)];
    const unknown = camelCase.map(([, name = ""]) => name).filter((name) => !words.has(name));
    expect(unknown).toEqual([]);
  });
});

/** Property keys, event types, messages and functions all stand in the source. */
function wordsOfTheCode(): ReadonlySet<string> {
  const keys = [
    "src/config/keys.ts",
    "src/config/ignoredKeys.ts",
    "src/config/names.ts",
    "src/config/producer/producerKeys.ts",
    "src/config/connector/connectorKeys.ts",
    "src/config/connector/libraryNames.ts",
  ];
  const events = readdirSync(join(ROOT, "src/model/events")).map(
    (name) => `src/model/events/${name}`,
  );
  const texts = [...keys, ...events, "protocol/README.md", "protocol/producer.md"].map((path) =>
    readFileSync(join(ROOT, path), "utf8"),
  );
  return new Set(texts.join("\n").match(/\b[a-z]+(?:[A-Z][a-z0-9]*)+\b/g));
}
