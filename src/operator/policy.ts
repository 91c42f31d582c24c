// The least that a daemon with these settings must be allowed, as an IAM policy.

import type { Settings } from "../config/settings.ts";
import { ACCOUNT, Arns, REGION } from "./arns.ts";
import { lettersOf, type NeedOptions, needsOf } from "./needs.ts";

export interface PolicyOptions extends NeedOptions {
  /** Where nothing else says: the region found in the surroundings. */
  readonly region?: string;
  /** Twelve digits. */
  readonly account?: string;
  /** The key that the stream is encrypted with, if it is one of the customer's own. */
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
  /** What a person must know who uses it. */
  readonly notes: readonly string[];
}

export function policyFor(settings: Settings, options: PolicyOptions): PolicyWithNotes {
  const arns = new Arns(settings, options);
  const statements = needsOf(settings, options).map(
    ({ sid, actions, resources }): Statement => ({
      Sid: sid,
      Effect: "Allow",
      Action: actions,
      Resource: oneOrMany(resources.flatMap((resource) => arns.of(resource))),
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
  const placeholders = [arns.streamRegion, arns.tableRegion, arns.account].filter(
    (part) => part === REGION || part === ACCOUNT,
  );
  const { kinesis, dynamodb } = services;
  const letters = lettersOf(settings);
  const several = kinesis.credentials !== dynamodb.credentials;
  const roles = [kinesis, dynamodb]
    .flatMap(({ credentials }) => credentials)
    .flatMap((provider) => (provider.type === "assumeRole" ? provider.roleArn : []));
  return [
    placeholders.length > 0 &&
      `Replace ${[...new Set(placeholders)].join(" and ")}, or give --region and --account.`,
    streamArn &&
      !options.account &&
      `The tables are taken to be in the stream's account, ${streamArn.accountId}; --account says otherwise.`,
    several &&
      "The credentials for Kinesis and DynamoDB differ: give each identity the statements of its service (dead letters are sent with those for Kinesis).",
    roles.length > 0 &&
      `The policy is for the role ${[...new Set(roles)].join(", ")}; who assumes it needs sts:AssumeRole on it.`,
    !options.kmsKey &&
      "If the stream is encrypted with a key of your own (not alias/aws/kinesis), kms:Decrypt on it is needed too: --kms-key ARN.",
    options.createTable &&
      !leaseTablePitrEnabled &&
      "Once the lease table exists, CreateLeaseTable can go: --no-create-table.",
    !options.javaFleet && "If workers of KCL 3.x share the application: --java-fleet.",
    onFailureDestination !== undefined &&
      letters?.type === "sns" &&
      "A topic that is encrypted with a key of your own needs kms:GenerateDataKey and kms:Decrypt on it.",
  ].filter((note) => typeof note === "string");
}

function oneOrMany(resources: readonly string[]): string | readonly string[] {
  const [only, ...more] = resources;
  return only !== undefined && more.length === 0 ? only : resources;
}
