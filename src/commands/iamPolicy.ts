// `kinesis-multilang iam-policy`: the smallest IAM policy that lets a daemon, or a producer, work
// with a properties file.

import { Command, InvalidArgumentError } from "commander";
import { findRegion } from "../aws/region.ts";
import { loadSettings } from "../config/loadSettings.ts";
import { loadProducer } from "../config/producer/loadProducer.ts";
import { isProducerFile } from "../config/producer/producerFile.ts";
import { UserError } from "../model/errors.ts";
import { policyFor } from "../operator/policy.ts";
import { producerPolicy } from "../operator/producerPolicy.ts";

interface PolicyArguments {
  readonly propertiesFile?: string;
  readonly region?: string;
  readonly account?: string;
  readonly kmsKey?: string;
  readonly createTable: boolean;
  readonly javaFleet: boolean;
}

export function iamPolicyCommand(): Command {
  return new Command("iam-policy")
    .summary("print the smallest IAM policy for a properties file")
    .description(
      "Prints an IAM policy that allows exactly the actions that a daemon with this properties file calls, on exactly the " +
        "resources that it uses. The policy goes to STDOUT, notes about it go to STDERR.",
    )
    .argument("[file]", "the properties file, if it is not given with -p")
    .option("-p, --properties-file <file>", "the properties file")
    .option("-r, --region <name>", "the region, if the file does not name one")
    .option(
      "-a, --account <id>",
      "the 12-digit id of the account of the stream and the tables",
      accountId,
    )
    .option(
      "--kms-key <arn>",
      "the ARN of your own KMS key, if the stream is encrypted with one",
      keyArn,
    )
    .option("--no-create-table", "leave out dynamodb:CreateTable; the lease table must exist")
    .option(
      "--java-fleet",
      "add what a daemon needs when workers of KCL 3.x share the application",
      false,
    )
    .action(async (file: string | undefined, options: PolicyArguments) => {
      const { propertiesFile = file, ...rest } = options;
      if (!propertiesFile) throw new UserError("Name a properties file: iam-policy -p FILE");
      // The daemon may run elsewhere, so the region of the EC2 instance that runs this command does
      // not count.
      const surroundings = { ...process.env, AWS_EC2_METADATA_DISABLED: "true" };
      const region = rest.region ?? (await findRegion(surroundings));
      const located = { ...rest, ...(region && { region }) };
      const { policy, notes } = isProducerFile(propertiesFile)
        ? producerPolicy(loadProducer({ file: propertiesFile }), located)
        : policyFor(loadSettings({ file: propertiesFile }).settings, located);
      console.log(JSON.stringify(policy, null, 2));
      for (const note of notes) console.error(`note: ${note}`);
    });
}

function accountId(text: string): string {
  if (/^\d{12}$/.test(text)) return text;
  throw new InvalidArgumentError("Allowed: the 12 digits of an account id.");
}

function keyArn(text: string): string {
  if (/^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key\/.+$/.test(text)) return text;
  throw new InvalidArgumentError(
    "Allowed: arn:aws:kms:REGION:ACCOUNT:key/ID (a policy does not accept an alias).",
  );
}
