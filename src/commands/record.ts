// `record`: stands in for a processor as executableName, runs the real one and writes the conversation down.

import { Command } from "commander";
import { record } from "../transcript/recorder.ts";

interface Options {
  readonly out: string;
  readonly redact?: boolean;
}

export function recordCommand(): Command {
  return new Command("record")
    .description(
      "Run a record processor and write its conversation with the daemon to a transcript.",
    )
    .passThroughOptions()
    .argument("<command...>", "the processor, after --")
    .requiredOption(
      "--out <file>",
      "where to; {shardId} is replaced, and a file that is there is not overwritten",
    )
    .option("--redact", "without payloads, keys and prints")
    .addHelpText(
      "after",
      "\nIn a properties file:\n  executableName = kinesis-multilang record --out talk-{shardId}.txt -- python3 app.py\n" +
        "Then: kinesis-multilang replay talk-shardId-000000000000.txt -- python3 app.py",
    )
    .action(async (argv: [string, ...string[]], { out, redact = false }: Options) => {
      const { stdin: input, stdout: output } = process;
      process.exitCode = await record({ argv, out, redact, input, output });
      // A daemon that keeps our STDIN open would keep us alive.
      input.destroy();
    });
}
