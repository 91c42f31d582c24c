// `kinesis-multilang doctor`: checks what the daemon, or a producer, needs before it starts, and
// prints a remedy for each problem.

import { Command } from "commander";
import { UserError } from "../model/errors.ts";
import type { Finding } from "../operator/doctor/finding.ts";

interface DoctorArguments {
  readonly propertiesFile?: string;
  readonly json: boolean;
}

export function doctorCommand(): Command {
  return new Command("doctor")
    .summary("check everything that the daemon needs, and print remedies")
    .description(
      "Checks, in this order: properties, executable, credentials, region, stream, each permission, lease table, clock, limits. " +
        "The doctor changes nothing: it tests permissions with reads, with writes whose condition is always false, and with " +
        "requests for things that do not exist. The exit code is 1 if a check failed.",
    )
    .argument("[file]", "the properties file, if it is not given with -p")
    .option("-p, --properties-file <file>", "the properties file")
    .option("--json", "print JSON", false)
    .action(async (file: string | undefined, { propertiesFile = file, json }: DoctorArguments) => {
      if (!propertiesFile) throw new UserError("Name a properties file: doctor -p FILE");
      process.exitCode = await examineAll(propertiesFile, json);
    });
}

async function examineAll(file: string, json: boolean): Promise<number> {
  const examine = await examinerOf(file);
  const { findingText, summaryText } = await import("../operator/doctor/text.ts");
  const coloured = process.stdout.isTTY && !process.env["NO_COLOR"];
  const findings: Finding[] = [];
  for await (const finding of examine(file, new AbortController().signal)) {
    findings.push(finding);
    if (!json) console.log(findingText(finding, coloured));
  }
  const healthy = findings.every(({ verdict }) => verdict !== "failed");
  if (json) console.log(JSON.stringify({ healthy, findings }, null, 2));
  else console.log(`\n${summaryText(findings)}`);
  return healthy ? 0 : 1;
}

async function examinerOf(file: string) {
  const { isProducerFile } = await import("../config/producer/producerFile.ts");
  if (!isProducerFile(file)) return (await import("../operator/doctor/doctor.ts")).examine;
  return (await import("../operator/doctor/producer.ts")).examineProducer;
}
