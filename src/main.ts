// The command line: selects the command for the arguments, and turns its outcome into an exit code.

import { inspect } from "node:util";
import { Command, CommanderError } from "commander";
import { ChildFailed } from "./child/childFailed.ts";
import { refuseUnlessFile } from "./commands/positional.ts";
import { runCommand } from "./commands/run.ts";
import type { HeldSignals } from "./heldSignals.ts";
import { UserError } from "./model/errors.ts";
import { VERSION } from "./package.ts";
import { redact } from "./redact.ts";

/** The meaning of the exit code; README.md has the same table. */
const EXIT = { ok: 0, failed: 1 } as const;

/**
 * The other commands. Each is loaded only when it is called, so that none delays the daemon's
 * start.
 */
const COMMANDS: Readonly<Record<string, (signals: HeldSignals) => Promise<Command>>> = {
  connect: async (signals) => (await import("./commands/connect.ts")).connectCommand(signals),
  pipe: async (signals) => (await import("./commands/pipe.ts")).pipeCommand(signals),
  sample: async () => (await import("./commands/sample.ts")).sampleCommand(),
  put: async () => (await import("./commands/put.ts")).putCommand(),
  produce: async () => (await import("./commands/produce.ts")).produceCommand(),
  try: async () => (await import("./commands/try.ts")).tryCommand(),
  conformance: async () => (await import("./commands/conformance.ts")).conformanceCommand(),
  record: async () => (await import("./commands/record.ts")).recordCommand(),
  replay: async () => (await import("./commands/replay.ts")).replayCommand(),
  redrive: async () => (await import("./commands/redrive.ts")).redriveCommand(),
  config: async () => (await import("./commands/config.ts")).configCommand(),
  init: async () => (await import("./commands/init.ts")).initCommand(),
  local: async () => (await import("./commands/local.ts")).localCommand(),
  doctor: async () => (await import("./commands/doctor.ts")).doctorCommand(),
  leases: async () => (await import("./commands/leases.ts")).leasesCommand(),
  top: async () => (await import("./commands/top.ts")).topCommand(),
  healthcheck: async () => (await import("./commands/healthcheck.ts")).healthcheckCommand(),
  "iam-policy": async () => (await import("./commands/iamPolicy.ts")).iamPolicyCommand(),
  checkpoints: async () => (await import("./commands/checkpoints.ts")).checkpointsCommand(),
};

const RUN_THE_DAEMON: ReadonlySet<string> = new Set(["run", "connect", "pipe"]);
const KNOWN_WORDS: ReadonlySet<string> = new Set(["run", "help", ...Object.keys(COMMANDS)]);

/** @returns the exit code. */
export async function main(argv: readonly string[], signals: HeldSignals): Promise<number> {
  const program = new Command("kinesis-multilang")
    .description("The process host of the Kinesis Client Library, without the JVM.")
    .version(VERSION)
    .enablePositionalOptions()
    .addCommand(runCommand(Object.keys(COMMANDS), signals), { isDefault: true });
  const [first = ""] = argv.slice(2);
  // Only the daemon reacts to them from its start.
  if (!RUN_THE_DAEMON.has(first) && KNOWN_WORDS.has(first)) signals.release();
  for (const name of commandsToLoad(argv)) {
    const load = COMMANDS[name];
    if (load) program.addCommand(await load(signals));
  }
  for (const command of [program, ...program.commands]) command.exitOverride();
  try {
    // Checked before the options, which only the intended command would know.
    if (!/^-|^$/.test(first) && !KNOWN_WORDS.has(first)) {
      refuseUnlessFile(first, Object.keys(COMMANDS));
    }
    await program.parseAsync(argv);
    return Number(process.exitCode ?? EXIT.ok);
  } catch (error) {
    return report(error);
  }
}

function commandsToLoad(argv: readonly string[]): readonly string[] {
  const first = argv[2] ?? "";
  if (["help", "--help", "-h"].includes(first)) return Object.keys(COMMANDS);
  return [first];
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.failed;
  console.error(redact(reported(error)));
  return EXIT.failed;
}

function reported(error: unknown): string {
  // The log already contains the child's output, line by line or with its failure.
  if (error instanceof ChildFailed) return `kinesis-multilang: ${error.withoutStderr}`;
  if (error instanceof UserError) return `kinesis-multilang: ${error.message}`;
  return inspect(error);
}

// A reader that closes the pipe (`kinesis-multilang --help | head`) is not a failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});
