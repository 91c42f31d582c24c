// `kinesis-multilang leases`: which worker holds each shard, its checkpoint, and whether the worker
// renews its lease.

import { Command } from "commander";
import type { LeasesRequest } from "../operator/showLeases.ts";
import { endpointUrl, numberFrom } from "./numbers.ts";
import { untilInterrupted } from "./untilInterrupted.ts";

const HOUR_SECONDS = 3_600;

export function leasesCommand(): Command {
  return new Command("leases")
    .summary("show which worker holds each shard, and its checkpoint")
    .description(
      "Shows the lease table: shard, owner, state, checkpoint, and when the lease was renewed. It also reads the tables of Java " +
        "daemons (KCL 1.x to 3.x). A lease row holds no time, so the command watches the table until every owner has renewed, " +
        "for 37 % of failoverTimeMillis at most: a live worker renews every third of it.",
    )
    .argument("[file]", "the properties file, if it is not given with -p")
    .option("-p, --properties-file <file>", "the properties file")
    .option("--table <name>", "the lease table, instead of a properties file")
    .option("-r, --region <name>", "with --table: the AWS region (or AWS_REGION)")
    .option("--endpoint <url>", "with --table: the DynamoDB endpoint", endpointUrl)
    .option(
      "--observe <seconds>",
      "the longest time to watch; 0 reads the table once",
      numberFrom({ min: 0, max: HOUR_SECONDS }),
    )
    .option(
      "--lag",
      "show the age of the oldest record that is not checkpointed (needs at least one GetRecords call a shard, out of the 5 a second that all readers of the shard share)",
      false,
    )
    .option("-w, --watch", "show the table again and again, until Ctrl-C", false)
    .option(
      "--interval <seconds>",
      "with --watch: the time between two reads of the table",
      numberFrom({ min: 0.2, max: HOUR_SECONDS }),
      2,
    )
    .option("--wide", "print whole sequence numbers", false)
    .option("--json", "print JSON; with --watch, one line for each read of the table", false)
    .action(
      async (
        file: string | undefined,
        options: Omit<LeasesRequest, "signal" | "out" | "explain">,
      ) => {
        const { showLeases } = await import("../operator/showLeases.ts");
        await untilInterrupted((signal) =>
          showLeases({
            ...(file !== undefined && { propertiesFile: file }),
            ...options,
            out: process.stdout,
            explain: console.error,
            signal,
          }),
        );
      },
    );
}
