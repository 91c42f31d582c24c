// `kinesis-multilang top`: what the status page shows, in a terminal.

import { Command } from "commander";
import { systemClock } from "../clock.ts";
import type { TopRequest } from "../top/watchTop.ts";
import { endpointUrl, numberFrom } from "./numbers.ts";
import { untilInterrupted } from "./untilInterrupted.ts";

const HOUR_SECONDS = 3_600;

export function topCommand(): Command {
  return new Command("top")
    .summary("watch a running daemon in a terminal")
    .description(
      "Shows what the status page shows, again and again: lag, rate and children of a running daemon that has httpListen. Without " +
        "it, the command shows the lease table alone, which it only reads, so it also serves for a fleet of Java daemons.",
    )
    .argument("[file]", "the properties file, if it is not given with -p")
    .option("-p, --properties-file <file>", "the properties file")
    .option("--http <address>", "where the daemon listens: HOST:PORT or unix:PATH")
    .option("--table <name>", "show this lease table, instead of a properties file")
    .option("-r, --region <name>", "with --table: the AWS region (or AWS_REGION)")
    .option("--endpoint <url>", "with --table: the DynamoDB endpoint", endpointUrl)
    .option(
      "--interval <seconds>",
      "the time between two looks",
      numberFrom({ min: 0.2, max: HOUR_SECONDS }),
      2,
    )
    .option("--once", "show it once and end", false)
    .action(async (file: string | undefined, options: Pick<TopRequest, "interval" | "once">) => {
      const { watchTop } = await import("../top/watchTop.ts");
      await untilInterrupted((signal) =>
        watchTop({
          ...(file !== undefined && { propertiesFile: file }),
          ...options,
          out: process.stdout,
          explain: console.error,
          clock: systemClock,
          signal,
        }),
      );
    });
}
