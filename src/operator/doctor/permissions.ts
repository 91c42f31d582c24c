// Tests each permission that the daemon needs.

import { emulatorWithoutCloudWatch } from "../../aws/cloudWatchClient.ts";
import { translate } from "../../leases/table/dynamoErrors.ts";
import { LeaseTableError } from "../../leases/table.ts";
import { kindOfReadError } from "../../stream/calls/readErrors.ts";
import { needsOf } from "../needs.ts";
import { errorText, type Finding, failed, notChecked, ok, warning } from "./finding.ts";
import { PROBES, type ProbeParts } from "./probes.ts";

/** Permissions that the daemon can work without. */
const DISPENSABLE: ReadonlySet<string> = new Set(["dynamodb:Query"]);

export async function checkPermissions(parts: ProbeParts): Promise<readonly Finding[]> {
  const options = { createTable: !parts.hasTable, javaFleet: parts.hasIndex };
  // Beside an emulator of Kinesis, metrics go nowhere.
  const isSilent = emulatorWithoutCloudWatch(parts.settings) !== undefined;
  const needs = needsOf(parts.settings, options).filter(
    ({ service }) => !(isSilent && service === "cloudwatch"),
  );
  const actions = needs.flatMap((need) => need.actions);
  const findings: Finding[] = [];
  for (const action of new Set(actions)) findings.push(await checkOne(action, parts));
  return findings;
}

async function checkOne(action: string, parts: ProbeParts): Promise<Finding> {
  const check = `permission ${action}`;
  const { streamCheck, noTable, signal } = parts;
  if (action.startsWith("kinesis:") && !streamCheck.facts)
    return notChecked(check, "the stream does not exist or cannot be reached");
  if (action.startsWith("dynamodb:") && noTable !== undefined) return notChecked(check, noTable);
  const probe = PROBES[action];
  if (!probe) return notChecked(check, "a test call would change something");
  try {
    const outcome = await probe(parts);
    return outcome === "allowed" ? ok(check, "allowed") : notChecked(check, outcome.untested);
  } catch (error) {
    signal.throwIfAborted();
    return judge(check, action, error);
  }
}

function judge(check: string, action: string, error: unknown): Finding {
  if (isDenied(error)) {
    if (DISPENSABLE.has(action)) {
      return warning(
        check,
        `denied (${errorText(error)}). The daemon finds the leases that a leader assigns by scans of the whole table, which cost more`,
        `Allow ${action} on the index. iam-policy --java-fleet -p FILE prints the whole policy.`,
      );
    }
    const name = error instanceof Error ? error.name : "";
    return name.startsWith("KMS")
      ? failed(
          check,
          `the policy does not allow the use of the stream's key (${errorText(error)})`,
          "Allow kms:Decrypt on the stream's encryption key, both in the IAM policy and in the key policy.",
        )
      : failed(
          check,
          `denied (${errorText(error)})`,
          `Allow ${action}. iam-policy -p FILE prints the whole policy.`,
        );
  }
  return warning(
    check,
    `unknown, because the test call failed for another reason (${errorText(error)})`,
    "Run the doctor again.",
  );
}

function isDenied(error: unknown): boolean {
  if (kindOfReadError(error) === "denied") return true;
  const translated = translate("", "", error);
  return translated instanceof LeaseTableError && translated.reason === "denied";
}
