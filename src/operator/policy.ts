// The smallest IAM policy that lets a daemon work with these settings.

import { leaseDirectoryIn } from "../config/leaseStore.ts";
import type { Settings } from "../config/settings.ts";
import { ACCOUNT, Arns, REGION } from "./arns.ts";
import { deadLetterDestination, type NeedOptions, needsOf } from "./needs.ts";

export interface PolicyOptions extends NeedOptions {
  /** The region of the environment, used where the settings name none. */
  readonly region?: string;
  /** 12 digits. */
  readonly account?: string;
  /** The customer-managed key of the stream, if there is one. */
  readonly kmsKey?: string;
}

export interface Policy {
  readonly Version: "2012-10-17";
  readonly Statement: readonly Statement[];
}

export interface Statement {
  readonly Sid: string;
  readonly Effect: "Allow";
  readonly Action: readonly string[];
  readonly Resource: string | readonly string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

export interface PolicyWithNotes {
  readonly policy: Policy;
  /** What the user of the policy must know. */
  readonly notes: readonly string[];
}

export function policyFor(settings: Settings, options: PolicyOptions): PolicyWithNotes {
  const arns = new Arns(settings, options);
  const statements = needsOf(settings, options).map(
    ({ sid, service, actions, resources }): Statement => ({
      Sid: sid,
      Effect: "Allow",
      Action: actions,
      Resource: oneOrMany(resources.flatMap((resource) => arns.of(resource))),
      ...(service === "cloudwatch" && {
        Condition: { StringEquals: { "cloudwatch:namespace": settings.applicationName } },
      }),
    }),
  );
  const { kmsKey } = options;
  const decryption = kmsKey === undefined ? [] : [decrypting(kmsKey, arns)];
  return {
    policy: { Version: "2012-10-17", Statement: [...statements, ...decryption] },
    notes: notesFor(settings, options, arns),
  };
}

function decrypting(kmsKey: string, arns: Arns): Statement {
  return {
    Sid: "DecryptStream",
    Effect: "Allow",
    Action: ["kms:Decrypt"],
    Resource: kmsKey,
    Condition: {
      StringEquals: { "kms:ViaService": `kinesis.${arns.streamRegion}.${arns.domain}` },
    },
  };
}

function notesFor(settings: Settings, options: PolicyOptions, arns: Arns): readonly string[] {
  const { streamArn, services, leaseTablePitrEnabled, onFailureDestination } = settings;
  const hasTable = leaseDirectoryIn(settings.leaseStore) === undefined;
  const regions = [arns.streamRegion, ...(hasTable ? [arns.tableRegion] : [])];
  const placeholders = [...regions, arns.account].filter(
    (part) => part === REGION || part === ACCOUNT,
  );
  const { kinesis, dynamodb } = services;
  const letters = deadLetterDestination(settings);
  const several = kinesis.credentials !== dynamodb.credentials;
  const roles = [kinesis, dynamodb]
    .flatMap(({ credentials }) => credentials)
    .flatMap((provider) => (provider.type === "assumeRole" ? provider.roleArn : []));
  return [
    placeholders.length > 0 &&
      `Replace ${[...new Set(placeholders)].join(" and ")} in the policy, or name them with --region and --account.`,
    streamArn &&
      hasTable &&
      !options.account &&
      `The policy assumes that the tables are in the stream's account, ${streamArn.accountId}. If not, name their account with --account.`,
    several &&
      hasTable &&
      "The credentials for Kinesis and DynamoDB differ: attach to each identity the statements of its service. The daemon sends dead letters with the credentials for Kinesis.",
    roles.length > 0 &&
      `Attach the policy to the role ${[...new Set(roles)].join(", ")}. The identity that assumes the role needs sts:AssumeRole on it.`,
    !options.kmsKey &&
      "If the stream is encrypted with your own key (not alias/aws/kinesis), the daemon also needs kms:Decrypt on it: add --kms-key ARN.",
    options.createTable &&
      hasTable &&
      !leaseTablePitrEnabled &&
      "When the lease table exists, the statement CreateLeaseTable is no longer needed: add --no-create-table.",
    !options.javaFleet &&
      hasTable &&
      "If workers of KCL 3.x share the application, the daemon needs more permissions: add --java-fleet.",
    onFailureDestination !== undefined &&
      letters?.type === "sns" &&
      "If the SNS topic is encrypted with your own key, the daemon also needs kms:GenerateDataKey and kms:Decrypt on that key.",
  ].filter((note) => typeof note === "string");
}

function oneOrMany(resources: readonly string[]): string | readonly string[] {
  const [only, ...more] = resources;
  return only !== undefined && more.length === 0 ? only : resources;
}
