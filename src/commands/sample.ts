// `kinesis-multilang sample`: the word count, on embedded services.

import { Command, Option } from "commander";
import { systemClock } from "../clock.ts";
import { CONNECT_TARGETS } from "../sample/counting.ts";
import type { SampleOptions } from "../sample/runSample.ts";
import { numberFrom } from "./numbers.ts";

export function sampleCommand(): Command {
  return new Command("sample")
    .summary("count words on an embedded Kinesis and DynamoDB")
    .description(
      "Counts words with processors in any language, on an embedded Kinesis and DynamoDB. Needs no AWS.",
    )
    .option("--language <name>", "the language of the processors", "python")
    .option(
      "--shards <n>",
      "number of shards of the stream",
      numberFrom({ min: 1, max: 200, integer: true }),
      3,
    )
    .option(
      "--rate <n>",
      "words to put per second",
      numberFrom({ min: 1, max: 100_000, integer: true }),
      50,
    )
    .option(
      "--seconds <n>",
      "how long to put words",
      numberFrom({ min: 1, max: 86_400, integer: true }),
      10,
    )
    .option("--produce", "put the words with the language's producer client", false)
    .addOption(
      new Option("--connect <target>", "write the words to a target instead, with a connector")
        .choices(CONNECT_TARGETS)
        .conflicts(["language", "produce"]),
    )
    .option("--keep-running", "put words until Ctrl-C", false)
    .option("--reshard", "split a shard while words are put", false)
    .option("--http <address>", "serve the daemon's status page, as on 127.0.0.1:8080")
    .action(async (options: SampleOptions) => {
      process.exitCode = await sample(options);
    });
}

/** @returns the exit code: 0 only if every word was counted exactly once. */
async function sample(options: SampleOptions): Promise<number> {
  const { runSample } = await import("../sample/runSample.ts");
  const { Screen } = await import("../sample/screen.ts");
  const [stop, abort] = [new AbortController(), new AbortController()];
  const screen = new Screen(process.stdout);
  const onSignal = () => {
    if (!stop.signal.aborted)
      screen.print("Stopping gracefully. Press Ctrl-C again to end at once.");
    (stop.signal.aborted ? abort : stop).abort();
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  try {
    const succeeded = await runSample({
      options,
      screen,
      clock: systemClock,
      stop: stop.signal,
      abort: abort.signal,
    });
    return succeeded ? 0 : 1;
  } finally {
    for (const signal of SIGNALS) process.off(signal, onSignal);
  }
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
