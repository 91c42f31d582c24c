// `kinesis-multilang leases`: who has which shard, how far it is, and whether its worker lives.

import { Command } from "commander";
import type { LeasesRequest } from "../operator/showLeases.ts";
import { endpointUrl, numberFrom } from "./numbers.ts";

const HOUR_SECONDS = 3_600;

export function leasesCommand(): Command {
  return new Command("leases")
    .summary("show who has which shard, and how far it is")
    .description(
      "Shows the lease table: shard, owner, state, checkpoint, and when the lease was renewed. It reads tables of the Java " +
        "daemon too (KCL 1.x to 3.x). A row says nothing of time, so the table is watched for a moment: until every owner was " +
        "seen to renew, or a third of failoverTimeMillis at most, within which a living worker does.",
    )
    .argument("[file]", "the properties file, if it is not given with -p")
    .option("-p, --properties-file <file>", "the properties file")
    .option("--table <name>", "the lease table, instead of a properties file")
    .option("-r, --region <name>", "with --table: the AWS region (or AWS_REGION)")
    .option("--endpoint <url>", "with --table: the DynamoDB endpoint", endpointUrl)
    .option(
      "--observe <seconds>",
      "how long to watch at most; 0 looks once",
      numberFrom({ min: 0, max: HOUR_SECONDS }),
    )
    .option(
      "--lag",
      "ask the stream how old the oldest record is that is not checkpointed (a GetRecords a shard, of the 5 a second that all its readers share)",
      false,
    )
    .option("-w, --watch", "go on watching until Ctrl-C", false)
    .option(
      "--interval <seconds>",
      "with --watch: time between two looks",
      numberFrom({ min: 0.2, max: HOUR_SECONDS }),
      2,
    )
    .option("--wide", "print whole sequence numbers", false)
    .option("--json", "print JSON; with --watch one line a look", false)
    .action(
      async (
        file: string | undefined,
        options: Omit<LeasesRequest, "signal" | "out" | "explain">,
      ) => {
        const { showLeases } = await import("../operator/showLeases.ts");
        const stop = new AbortController();
        const interrupt = () => stop.abort();
        process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
        try {
          await showLeases({
            ...(file !== undefined && { propertiesFile: file }),
            ...options,
            out: process.stdout,
            explain: console.error,
            signal: stop.signal,
          });
        } finally {
          process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
        }
      },
    );
}
