// The record processors for measuring a daemon. Each answers at once and notes what it received.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../src/model/errors.ts";
import { BENCH, BIN, WORK } from "./paths.ts";
import { type Command, runToEnd } from "./processes.ts";

export const PROCESSORS = ["go", "python", "node", "kclpy"] as const;
export type Processor = (typeof PROCESSORS)[number];

const KCLPY = "amazon_kclpy==3.1.3";

/**
 * No argument contains a blank: the Java daemon splits `executableName` at blanks, and so does the
 * bench.
 */
export async function processorCommand(processor: Processor): Promise<Command> {
  switch (processor) {
    case "go":
      return [join(BIN, "echochild")];
    case "node":
      return [process.execPath, join(BENCH, "processors", "echo.mjs")];
    case "python":
      return ["python3", join(BENCH, "processors", "echo.py"), "kinesis_multilang"];
    case "kclpy":
      return [await kclpyPython(), join(BENCH, "processors", "echo.py"), "amazon_kclpy"];
  }
}

/** The commands by name. */
export async function processorCommands(
  names: readonly Processor[],
): Promise<ReadonlyMap<Processor, Command>> {
  const commands = new Map<Processor, Command>();
  for (const name of names) commands.set(name, await processorCommand(name));
  return commands;
}

/** A Python with Amazon's client, in the bench's folder. */
async function kclpyPython(): Promise<string> {
  const venv = join(WORK, "venv");
  const python = join(venv, "bin", "python3");
  if (existsSync(join(venv, "ready"))) return python;
  console.error(`installing ${KCLPY} from PyPI`);
  try {
    await runToEnd(["python3", "-m", "venv", "--clear", venv], WORK);
    await runToEnd([python, "-m", "pip", "install", "--quiet", KCLPY], WORK);
    await runToEnd(["touch", join(venv, "ready")], WORK);
  } catch (cause) {
    throw new UserError(`--child kclpy needs Python 3 with venv, and ${KCLPY} from PyPI.`, {
      cause,
    });
  }
  return python;
}
