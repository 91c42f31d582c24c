// `kinesis-multilang iam-policy`: the least that a daemon must be allowed, for a properties file.

import { Command, InvalidArgumentError } from "commander";
import { findRegion } from "../aws/region.ts";
import { loadSettings } from "../config/loadSettings.ts";
import { UserError } from "../model/errors.ts";
import { policyFor } from "../operator/policy.ts";

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
    .summary("print the least IAM policy for a properties file")
    .description(
      "Prints the IAM policy with exactly what a daemon with this properties file calls, on exactly what it calls it. " +
        "The policy goes to STDOUT; what you should know about it goes to STDERR.",
    )
    .argument("[file]", "the properties file, if it is not given with -p")
    .option("-p, --properties-file <file>", "the properties file")
    .option("-r, --region <name>", "the region, where the file does not say it")
    .option("-a, --account <id>", "the account of the stream and the tables", accountId)
    .option("--kms-key <arn>", "the key of your own that the stream is encrypted with", keyArn)
    .option("--no-create-table", "somebody else makes the lease table")
    .option("--java-fleet", "workers of KCL 3.x share the application", false)
    .action(async (file: string | undefined, options: PolicyArguments) => {
      const { propertiesFile = file, ...rest } = options;
      if (!propertiesFile) throw new UserError("Name a properties file: iam-policy -p FILE");
      const { settings } = loadSettings({ file: propertiesFile });
      // The instance metadata would say where this command runs, which need not be where the daemon will.
      const surroundings = { ...process.env, AWS_EC2_METADATA_DISABLED: "true" };
      const region = rest.region ?? (await findRegion(surroundings));
      const { policy, notes } = policyFor(settings, { ...rest, ...(region && { region }) });
      console.log(JSON.stringify(policy, null, 2));
      for (const note of notes) console.error(`note: ${note}`);
    });
}

function accountId(text: string): string {
  if (/^\d{12}$/.test(text)) return text;
  throw new InvalidArgumentError("Allowed: the twelve digits of an account.");
}

function keyArn(text: string): string {
  if (/^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key\/.+$/.test(text)) return text;
  throw new InvalidArgumentError(
    "Allowed: arn:aws:kms:REGION:ACCOUNT:key/ID (an alias does not do in a policy).",
  );
}
