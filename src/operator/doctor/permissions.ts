// Each permission that the daemon needs, tried.

import { translate } from "../../leases/table/dynamoErrors.ts";
import { LeaseTableError } from "../../leases/table.ts";
import { kindOfTrouble } from "../../stream/calls/readErrors.ts";
import { needsOf } from "../needs.ts";
import { errorText, type Finding, failed, notChecked, ok, warning } from "./finding.ts";
import { PROBES, type ProbeParts } from "./probes.ts";

/** What the daemon can do without. */
const DISPENSABLE: ReadonlySet<string> = new Set(["dynamodb:Query"]);

export async function checkPermissions(parts: ProbeParts): Promise<readonly Finding[]> {
  const options = { createTable: !parts.hasTable, javaFleet: parts.hasIndex };
  const actions = needsOf(parts.settings, options).flatMap((need) => need.actions);
  const findings: Finding[] = [];
  for (const action of new Set(actions)) findings.push(await checkOne(action, parts));
  return findings;
}

async function checkOne(action: string, parts: ProbeParts): Promise<Finding> {
  const check = `permission ${action}`;
  const { streamCheck, noTable, signal } = parts;
  if (action.startsWith("kinesis:") && !streamCheck.facts)
    return notChecked(check, "the stream is not there or cannot be reached");
  if (action.startsWith("dynamodb:") && noTable !== undefined) return notChecked(check, noTable);
  const probe = PROBES[action];
  if (!probe) return notChecked(check, "trying it would have an effect");
  try {
    const outcome = await probe(parts);
    return outcome === "allowed" ? ok(check, "allowed") : notChecked(check, outcome.untried);
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
        `denied (${errorText(error)}): leases that a leader assigns are found by scans of the whole table, which cost more`,
        `Allow ${action} on the index: iam-policy --java-fleet -p FILE prints the whole policy.`,
      );
    }
    const name = error instanceof Error ? error.name : "";
    return name.startsWith("KMS")
      ? failed(
          check,
          `the stream's key may not be used (${errorText(error)})`,
          "Allow kms:Decrypt on the key that the stream is encrypted with, in the policy and in the key's own.",
        )
      : failed(
          check,
          `denied (${errorText(error)})`,
          `Allow ${action}: iam-policy -p FILE prints the whole policy.`,
        );
  }
  return warning(check, `not known: the call failed otherwise (${errorText(error)})`, "Try again.");
}

function isDenied(error: unknown): boolean {
  if (kindOfTrouble(error) === "denied") return true;
  const translated = translate("", "", error);
  return translated instanceof LeaseTableError && translated.reason === "denied";
}
