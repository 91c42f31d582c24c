// `kinesis-multilang replay`: plays a recorded conversation to a processor and shows the first
// difference.

import { Command } from "commander";
import { readTranscript } from "../transcript/library.ts";
import { DEFAULT_STEP_LIMIT_MS } from "../transcript/playClient.ts";
import { type Difference, replay } from "../transcript/replay.ts";
import { numberFrom } from "./numbers.ts";

export function replayCommand(): Command {
  return new Command("replay")
    .summary("play a recording to a processor")
    .description(
      "Plays a transcript to a record processor and prints the first difference. The exit code is 0 when there is none.",
    )
    .argument("<file>", "a transcript that `record` wrote")
    .passThroughOptions()
    .argument("<command...>", "the processor, after --")
    .option(
      "--step-limit <ms>",
      "how long the processor may take for a message, in milliseconds",
      numberFrom({ min: 1, max: 3_600_000, integer: true }),
      DEFAULT_STEP_LIMIT_MS,
    )
    .action(
      async (file: string, command: string[], { stepLimit }: { readonly stepLimit: number }) => {
        // Commander does not remove the -- after the first argument.
        const argv = command[0] === "--" ? command.slice(1) : command;
        const transcript = await readTranscript(file);
        const difference = await replay(transcript, { argv, stepLimitMs: stepLimit });
        console.log(difference ? describe(file, difference) : `${file}: no difference`);
        if (difference) process.exitCode = 1;
      },
    );
}

function describe(file: string, { line, expected, came, after, lastWords }: Difference): string {
  return [
    `${file}:${line}: the first difference`,
    `  after:    ${after}`,
    `  expected: ${expected}`,
    `  came:     ${came}`,
    ...lastWords.map((line) => `  | ${line}`),
  ].join("\n");
}
