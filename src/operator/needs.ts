// The AWS actions that a daemon with these settings calls, and the resources that it calls them on.
// iam-policy prints them, and the doctor tests them. Actions that the code does not call are not
// here.

import { leaseDirectoryIn } from "../config/leaseStore.ts";
import type { Service, Settings } from "../config/settings.ts";
import { type Destination, parseDestination } from "../model/failureDestination.ts";

/** The resources that an action is allowed on. */
export type Resource =
  | "stream"
  | "consumer"
  | "table"
  | "ownerIndex"
  | "fleetTables"
  | "deadLetters"
  /** CloudWatch knows no resources; a condition limits the action to a namespace. */
  | "metrics";

export interface Need {
  /** The id of the policy statement: letters and digits. */
  readonly sid: string;
  /** The service whose credentials the daemon uses for these calls. */
  readonly service: Service;
  readonly actions: readonly string[];
  readonly resources: readonly Resource[];
}

export interface NeedOptions {
  /** False when the lease table exists already. */
  readonly createTable: boolean;
  /** Workers of KCL 3.x share the application. */
  readonly javaFleet: boolean;
}

export function needsOf(settings: Settings, options: NeedOptions): readonly Need[] {
  return [
    ...streamNeeds(settings),
    ...tableNeeds(settings, options),
    ...deadLetterNeeds(settings),
    ...metricsNeeds(settings),
  ];
}

/**
 * AUTO falls back to GetRecords, so it needs the actions for polling, too. Both ways of reading
 * begin with ListShards.
 */
function streamNeeds({ retrieval, fanoutConfig, streams }: Settings): readonly Need[] {
  const polling = ["kinesis:GetShardIterator", "kinesis:GetRecords"];
  // The lease keys of several streams contain the times at which they were created.
  const describing = streams ? ["kinesis:DescribeStreamSummary"] : [];
  const read: Need = {
    sid: "ReadStream",
    service: "kinesis",
    actions: ["kinesis:ListShards", ...describing, ...(retrieval === "FANOUT" ? [] : polling)],
    resources: ["stream"],
  };
  if (retrieval === "POLLING") return [read];
  const registers = fanoutConfig.consumerArn === undefined;
  return [
    read,
    ...(registers ? [registration()] : []),
    {
      sid: "SubscribeToShards",
      service: "kinesis",
      actions: ["kinesis:SubscribeToShard"],
      resources: ["consumer"],
    },
  ];
}

function registration(): Need {
  return {
    sid: "RegisterConsumer",
    service: "kinesis",
    actions: [
      "kinesis:DescribeStreamSummary",
      "kinesis:DescribeStreamConsumer",
      "kinesis:RegisterStreamConsumer",
    ],
    resources: ["stream", "consumer"],
  };
}

function tableNeeds(
  { leaseTablePitrEnabled, leaseStore }: Settings,
  { createTable, javaFleet }: NeedOptions,
): readonly Need[] {
  if (leaseDirectoryIn(leaseStore) !== undefined) return [];
  const creation = ["dynamodb:CreateTable"];
  const recovery = leaseTablePitrEnabled ? ["dynamodb:UpdateContinuousBackups"] : [];
  return [
    {
      sid: "ShareLeases",
      service: "dynamodb",
      actions: [
        ...["dynamodb:DescribeTable", "dynamodb:Scan", "dynamodb:GetItem", "dynamodb:PutItem"],
        ...["dynamodb:UpdateItem", "dynamodb:DeleteItem"],
        ...recovery,
      ],
      resources: ["table"],
    },
    ...(createTable ? [table("CreateLeaseTable", creation, ["table"])] : []),
    table("LookForJavaFleet", ["dynamodb:BatchGetItem", "dynamodb:Scan"], ["fleetTables"]),
    ...(javaFleet ? joining() : []),
  ];
}

/**
 * A daemon that joins a fleet of KCL 3.0 to 3.4 writes its worker metrics to the fleet's tables,
 * and deletes them when it stops. It finds its assigned leases through the index of owners; without
 * permission for it, the daemon scans the table.
 */
function joining(): readonly Need[] {
  return [
    table("JoinJavaFleet", ["dynamodb:UpdateItem", "dynamodb:DeleteItem"], ["fleetTables"]),
    table("FindAssignedLeases", ["dynamodb:Query"], ["ownerIndex"]),
  ];
}

function table(sid: string, actions: readonly string[], resources: readonly Resource[]): Need {
  return { sid, service: "dynamodb", actions, resources };
}

function deadLetterNeeds(settings: Settings): readonly Need[] {
  const destination = deadLetterDestination(settings);
  const actions = destination && DEAD_LETTER_ACTIONS[destination.type](destination);
  if (!actions || actions.length === 0) return [];
  return [{ sid: "SendDeadLetters", service: "kinesis", actions, resources: ["deadLetters"] }];
}

function metricsNeeds({ metricsLevel, emfDestination }: Settings): readonly Need[] {
  if (metricsLevel === "NONE" || emfDestination !== undefined) return [];
  const actions = ["cloudwatch:PutMetricData"];
  return [{ sid: "PublishMetrics", service: "cloudwatch", actions, resources: ["metrics"] }];
}

/** The destination of records that no child could process; `undefined` when there is none. */
export function deadLetterDestination({
  onFailureDestination: text,
}: Settings): Destination | undefined {
  const destination = text === undefined ? undefined : parseDestination(text);
  return typeof destination === "string" ? undefined : destination;
}

const DEAD_LETTER_ACTIONS = {
  file: () => [],
  sqs: (to) =>
    to.type === "sqs" && "name" in to.queue
      ? ["sqs:GetQueueUrl", "sqs:SendMessage"]
      : ["sqs:SendMessage"],
  sns: () => ["sns:Publish"],
  s3: () => ["s3:PutObject"],
  kinesis: () => ["kinesis:PutRecords"],
} satisfies Record<Destination["type"], (to: Destination) => readonly string[]>;
