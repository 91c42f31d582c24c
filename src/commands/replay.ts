// `replay`: plays a recorded conversation to a processor and shows the first difference.

import { Command } from "commander";
import { readTranscript } from "../transcript/library.ts";
import { DEFAULT_STEP_LIMIT_MS } from "../transcript/playClient.ts";
import { type Difference, replay } from "../transcript/replay.ts";
import { numberFrom } from "./numbers.ts";

export function replayCommand(): Command {
  return new Command("replay")
    .description(
      "Play a transcript to a record processor; exit code 0 when it answers as it did then.",
    )
    .argument("<file>", "a transcript, as `record` writes it")
    .passThroughOptions()
    .argument("<command...>", "the processor, after --")
    .option(
      "--step-limit <ms>",
      "how long it may be silent",
      numberFrom({ min: 1, max: 3_600_000, integer: true }),
      DEFAULT_STEP_LIMIT_MS,
    )
    .action(
      async (file: string, words: string[], { stepLimit }: { readonly stepLimit: number }) => {
        // Behind the file's name, commander leaves the mark in.
        const argv = words[0] === "--" ? words.slice(1) : words;
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
    ...lastWords.map((words) => `  | ${words}`),
  ].join("\n");
}
