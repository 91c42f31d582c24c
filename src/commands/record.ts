// `kinesis-multilang record`: takes the place of a processor in executableName, runs the real
// processor and records the conversation.

import { Command } from "commander";
import { record } from "../transcript/recorder.ts";

interface Options {
  readonly out: string;
  readonly redact?: boolean;
}

export function recordCommand(): Command {
  return new Command("record")
    .summary("record the conversation of a processor")
    .description(
      "Runs a record processor and writes its conversation with the daemon to a transcript.",
    )
    .passThroughOptions()
    .argument("<command...>", "the processor, after --")
    .requiredOption(
      "--out <file>",
      "the transcript to write; {shardId} is replaced, and an existing file is never overwritten",
    )
    .option("--redact", "leave out payloads, partition keys and other output")
    .addHelpText(
      "after",
      "\nIn a properties file:\n  executableName = kinesis-multilang record --out recording-{shardId}.txt -- python3 app.py\n" +
        "Then: kinesis-multilang replay recording-shardId-000000000000.txt -- python3 app.py",
    )
    .action(async (argv: [string, ...string[]], { out, redact = false }: Options) => {
      const { stdin: input, stdout: output } = process;
      process.exitCode = await record({ argv, out, redact, input, output });
      // If the daemon keeps STDIN open, this process would not end.
      input.destroy();
    });
}
