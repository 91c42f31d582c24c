// What a daemon with these settings asks of AWS: each action and what it acts on. The policy is made of it, and the
// doctor tries it. What the code does not call is not in it.

import type { Service, Settings } from "../config/settings.ts";
import { type Destination, parseDestination } from "../model/failureDestination.ts";

/** What an action is allowed on. */
export type Resource = "stream" | "consumer" | "table" | "ownerIndex" | "fleetTables" | "letters";

export interface Need {
  /** A statement's id: letters and digits. */
  readonly sid: string;
  /** Whose credentials make the calls. */
  readonly service: Service;
  readonly actions: readonly string[];
  readonly resources: readonly Resource[];
}

export interface NeedOptions {
  /** False when somebody else makes the lease table. */
  readonly createTable: boolean;
  /** Workers of KCL 3.x share the application. */
  readonly javaFleet: boolean;
}

export function needsOf(settings: Settings, options: NeedOptions): readonly Need[] {
  return [...streamNeeds(settings), ...tableNeeds(settings, options), ...letterNeeds(settings)];
}

/** Reading by GetRecords is also what AUTO falls back to. ListShards comes first in either way. */
function streamNeeds({ retrieval, fanoutConfig }: Settings): readonly Need[] {
  const polling = ["kinesis:GetShardIterator", "kinesis:GetRecords"];
  const read: Need = {
    sid: "ReadStream",
    service: "kinesis",
    actions: ["kinesis:ListShards", ...(retrieval === "FANOUT" ? [] : polling)],
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
  { leaseTablePitrEnabled }: Settings,
  { createTable, javaFleet }: NeedOptions,
): readonly Need[] {
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
 * In the tables of KCL 3.0 to 3.4 a worker reports, and takes its report back. By the index it finds what it is assigned; it can do
 * without, by scans.
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

function letterNeeds(settings: Settings): readonly Need[] {
  const letters = lettersOf(settings);
  const actions = letters && LETTER_ACTIONS[letters.type](letters);
  if (!actions || actions.length === 0) return [];
  return [{ sid: "SendDeadLetters", service: "kinesis", actions, resources: ["letters"] }];
}

/** Where records go that no child could process; `undefined` = nowhere. */
export function lettersOf({ onFailureDestination: text }: Settings): Destination | undefined {
  const destination = text === undefined ? undefined : parseDestination(text);
  return typeof destination === "string" ? undefined : destination;
}

const LETTER_ACTIONS = {
  file: () => [],
  sqs: (to) =>
    to.type === "sqs" && "name" in to.queue
      ? ["sqs:GetQueueUrl", "sqs:SendMessage"]
      : ["sqs:SendMessage"],
  sns: () => ["sns:Publish"],
  s3: () => ["s3:PutObject"],
  kinesis: () => ["kinesis:PutRecords"],
} satisfies Record<Destination["type"], (to: Destination) => readonly string[]>;
