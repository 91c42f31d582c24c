// `kinesis-multilang checkpoints`: look at checkpoints, and move them.

import { Command } from "commander";
import type { Move, MoveOptions } from "../operator/moveCheckpoints.ts";
import type { ShowOptions } from "../operator/showCheckpoints.ts";
import { collectShardIds } from "./shardIds.ts";

export function checkpointsCommand(): Command {
  const command = new Command("checkpoints")
    .summary("show, move or restore checkpoints")
    .description(
      "Shows how far an application is in each shard, and moves it. set, reset and restore only tell what they would do, unless --yes " +
        "is given; they save the rows to a file first, and refuse while a living worker holds one of the leases, unless --force fences it off.",
    )
    .addCommand(showCommand())
    .addCommand(setCommand())
    .addCommand(resetCommand())
    .addCommand(restoreCommand());
  for (const sub of command.commands) sub.exitOverride();
  return command;
}

function showCommand(): Command {
  return new Command("show")
    .description("Prints every checkpoint in full, with the shards that it depends on.")
    .argument("[file]", "the properties file, if it is not given with -p")
    .option("-p, --properties-file <file>", "the properties file")
    .option("-s, --shard <id>", "only this shard, by id or number (repeat it)", collectShardIds, [])
    .option("--json", "print JSON", false)
    .action(async (file: string | undefined, options: ShowOptions) => {
      const { showCheckpoints } = await import("../operator/showCheckpoints.ts");
      const chosen = { ...(file !== undefined && { propertiesFile: file }), ...options };
      console.log(await showCheckpoints(chosen, new AbortController().signal));
    });
}

const TO =
  "trim-horizon (the oldest record), latest (now), a time (ISO 8601 with a zone, or seconds or milliseconds since 1970), or the sequence number of a record that counts as processed";

function setCommand(): Command {
  return moving(new Command("set"))
    .description(
      "Writes the checkpoints of the shards named, and no others; refused where others would have to move with them.",
    )
    .requiredOption("-s, --shard <id>", "the shard, by id or number (repeat it)", collectShardIds)
    .requiredOption("--to <place>", TO)
    .action((options: MoveOptions & { shard: readonly string[]; to: string }) =>
      run({ type: "set", to: options.to, shards: options.shard }, options),
    );
}

function resetCommand(): Command {
  return moving(new Command("reset"))
    .description(
      "Moves the whole application, or the shards named with all that came of them, to a moment: through splits and merges, " +
        "so that no record is passed over and none overtakes another.",
    )
    .option(
      "-s, --shard <id>",
      "only this shard and its descendants (repeat it)",
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
    .description("Puts back the rows that set or reset saved.")
    .argument("<backup>", "the file")
    .action((file: string, options: MoveOptions) => run({ type: "restore", file }, options));
}

function moving(command: Command): Command {
  return command
    .option("-p, --properties-file <file>", "the properties file")
    .option("-y, --yes", "write, instead of only telling what would be written", false)
    .option("--force", "also where living workers hold the leases: they lose them", false)
    .option("--backup <file>", "where to save the rows before (default: a new file here)")
    .option("--json", "print JSON", false);
}

async function run(move: Move, options: MoveOptions): Promise<void> {
  const { moveCheckpoints } = await import("../operator/moveCheckpoints.ts");
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt).once("SIGHUP", interrupt);
  try {
    const output = {
      say: (text: string) => console.log(text),
      progress: (text: string) => console.error(`… ${text}`),
    };
    process.exitCode = await moveCheckpoints(move, options, output, stop.signal);
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt).off("SIGHUP", interrupt);
  }
}
