// `kinesis-multilang checkpoints`: shows checkpoints, moves them, and restores them.

import { Command } from "commander";
import type { Move, MoveOptions, MoveOutput } from "../operator/moveCheckpoints.ts";
import type { ShowOptions } from "../operator/showCheckpoints.ts";
import { collectShardIds } from "./shardIds.ts";
import { untilInterrupted } from "./untilInterrupted.ts";

export function checkpointsCommand(): Command {
  const command = new Command("checkpoints")
    .summary("show, move or restore checkpoints")
    .description(
      "Shows the checkpoint of each shard, and moves it. set, reset, restore and migrate only print what they would write, unless you give " +
        "--yes. They save the rows to a file before they write. They refuse while a live worker holds one of the leases, unless " +
        "you give --force, which takes the leases away from the worker.",
    )
    .addCommand(showCommand())
    .addCommand(setCommand())
    .addCommand(resetCommand())
    .addCommand(restoreCommand())
    .addCommand(migrateCommand());
  for (const sub of command.commands) sub.exitOverride();
  return command;
}

function showCommand(): Command {
  return new Command("show")
    .description("Prints every checkpoint in full, with its owner and the parent and child shards.")
    .argument("[file]", "the properties file, if it is not given with -p")
    .option("-p, --properties-file <file>", "the properties file")
    .option(
      "-s, --shard <id>",
      "only this shard, by id or number (may be repeated)",
      collectShardIds,
      [],
    )
    .option("--json", "print JSON", false)
    .action(async (file: string | undefined, options: ShowOptions) => {
      const { showCheckpoints } = await import("../operator/showCheckpoints.ts");
      const chosen = { ...(file !== undefined && { propertiesFile: file }), ...options };
      console.log(await showCheckpoints(chosen, new AbortController().signal));
    });
}

const TO =
  "trim-horizon (the oldest record), latest (now), a time (ISO 8601 with a time zone, or seconds or milliseconds since 1970), or the sequence number of the last processed record";

function setCommand(): Command {
  return moving(new Command("set"))
    .description(
      "Writes the checkpoints of the named shards only. Refuses when other shards would have to move with them: then use reset.",
    )
    .requiredOption(
      "-s, --shard <id>",
      "the shard, by id or number (may be repeated)",
      collectShardIds,
    )
    .requiredOption("--to <place>", TO)
    .action((options: MoveOptions & { shard: readonly string[]; to: string }) =>
      run({ type: "set", to: options.to, shards: options.shard }, options),
    );
}

function resetCommand(): Command {
  return moving(new Command("reset"))
    .description(
      "Moves the whole application, or the named shards and all their descendants, to one point of the stream. It follows splits " +
        "and merges, so that the application skips no record and reads the records of each key in order.",
    )
    .option(
      "-s, --shard <id>",
      "only this shard and its descendants, by id or number (may be repeated)",
      collectShardIds,
      [],
    )
    .requiredOption("--to <place>", TO)
    .action((options: MoveOptions & { shard: readonly string[]; to: string }) =>
      run({ type: "reset", to: options.to, shards: options.shard }, options),
    );
}

function restoreCommand(): Command {
  return moving(new Command("restore"))
    .description("Writes the lease rows back that set or reset has saved.")
    .argument("<backup>", "the file that set or reset has written")
    .action((file: string, options: MoveOptions) => run({ type: "restore", file }, options));
}

function migrateCommand(): Command {
  return moving(new Command("migrate"))
    .description(
      "Keeps the checkpoints when an application that read one stream is to read several: gives its leases the keys of KCL's " +
        "multi-stream mode. With --force it writes although workers seem to live, and stops at a row that one of them changes.",
    )
    .action(async (options: MoveOptions) => {
      const { migrateCheckpoints } = await import("../operator/migrateCheckpoints.ts");
      await carryOut((output, signal) => migrateCheckpoints(options, output, signal));
    });
}

function moving(command: Command): Command {
  return command
    .option("-p, --properties-file <file>", "the properties file")
    .option("--stream <name>", "the stream, where the application reads several")
    .option("-y, --yes", "write; without it, only print what would be written", false)
    .option("--force", "write even when live workers hold the leases; the workers lose them", false)
    .option(
      "--backup <file>",
      "save the rows to this file first (default: a new file in the working directory)",
    )
    .option("--json", "print JSON", false);
}

async function run(move: Move, options: MoveOptions): Promise<void> {
  const { moveCheckpoints } = await import("../operator/moveCheckpoints.ts");
  await carryOut((output, signal) => moveCheckpoints(move, options, output, signal));
}

async function carryOut(
  work: (output: MoveOutput, signal: AbortSignal) => Promise<number>,
): Promise<void> {
  const output = {
    print: (text: string) => console.log(text),
    progress: (text: string) => console.error(`… ${text}`),
  };
  process.exitCode = await untilInterrupted((signal) => work(output, signal));
}
