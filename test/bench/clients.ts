// The echo processors on our client of each language, and on Amazon's for Python. Each decodes
// every record's data, adds up the bytes, notes the sum (see go/echochild/main.go) and answers.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../src/model/errors.ts";
import { BENCH, BIN, ROOT, WORK } from "./paths.ts";
import { type Command, runToEnd } from "./processes.ts";
import { processorCommand } from "./processors.ts";

export const CLIENTS = [
  "python",
  "node",
  "node-small",
  "ruby",
  "go",
  "rust",
  "java",
  "csharp",
  "php",
  "bash",
  "kclpy",
] as const;
export type Client = (typeof CLIENTS)[number];

const SOURCES = join(BENCH, "processors");

/** Programs that do the same work with the standard library alone, and only that. */
export const FLOORS: ReadonlyMap<Client, Command> = new Map([
  ["python", ["python3", join(SOURCES, "floor.py")]],
  ["node", [process.execPath, join(SOURCES, "floor.mjs")]],
  ["ruby", ["ruby", join(SOURCES, "floor.rb")]],
]);

export async function clientCommand(client: Client): Promise<Command> {
  switch (client) {
    case "python":
    case "node":
    case "kclpy":
      return processorCommand(client);
    case "node-small":
      return [process.execPath, "--max-semi-space-size=2", join(SOURCES, "echo.mjs")];
    case "ruby":
      return ["ruby", join(SOURCES, "echo.rb")];
    case "go":
      return [await goEcho()];
    case "rust":
      return [await rustEcho()];
    case "java":
      return ["java", "-cp", await javaClasses(), "Echo"];
    case "csharp":
      return ["mono", await csharpProgram()];
    case "php":
      return ["php", join(SOURCES, "echo.php")];
    case "bash":
      return ["bash", join(SOURCES, "echo.sh")];
  }
}

async function goEcho(): Promise<string> {
  const program = join(BIN, "echo-go");
  await build(["go", "build", "-buildvcs=false", "-o", program, "."], "echo-go");
  return program;
}

async function rustEcho(): Promise<string> {
  const target = join(WORK, "rust");
  const flags = ["--release", "--offline", "--quiet", "--target-dir", target];
  await build(["cargo", "build", ...flags], "echo-rust");
  return join(target, "release", "echo");
}

async function javaClasses(): Promise<string> {
  const classes = join(WORK, "java");
  const client = join(ROOT, "clients", "java", "src", "main", "java", "kinesismultilang");
  const sources = [join(client, "Json.java"), join(client, "Kcl.java"), "Echo.java"];
  await build(["javac", "--release", "11", "-d", classes, ...sources], ".");
  return classes;
}

async function csharpProgram(): Promise<string> {
  const program = join(BIN, "Echo.exe");
  const client = join(ROOT, "clients", "csharp");
  const sources = [join(client, "Json.cs"), join(client, "Kcl.cs"), "Echo.cs"];
  await build(["mcs", `-out:${program}`, ...sources], ".");
  return program;
}

async function build(command: Command, folder: string): Promise<void> {
  mkdirSync(BIN, { recursive: true });
  try {
    await runToEnd(command, join(SOURCES, folder));
  } catch (cause) {
    const advice = `Install ${command[0]}, or name other clients with --client.`;
    throw new UserError(`The processor in ${folder} could not be built. ${advice}`, { cause });
  }
}
