// The smallest IAM policy that lets a producer work with its properties file, and the actions that
// the doctor tests.

import type { LoadedProducer } from "../config/producer/loadProducer.ts";
import { ACCOUNT, domainOf, partitionOf, REGION } from "./arns.ts";
import type { PolicyOptions, PolicyWithNotes, Statement } from "./policy.ts";

/** On the stream. Without the last one, the largest record is not known before it is refused. */
export const PRODUCER_ACTIONS = [
  "kinesis:PutRecords",
  "kinesis:ListShards",
  "kinesis:DescribeStreamSummary",
] as const;

export function producerPolicy(
  { values, service }: LoadedProducer,
  {
    region: surrounding,
    account = ACCOUNT,
    kmsKey,
  }: Omit<PolicyOptions, "createTable" | "javaFleet">,
): PolicyWithNotes {
  const { streamName, metricsLevel, metricsNamespace } = values;
  const region = service.region ?? surrounding ?? REGION;
  const arn = `arn:${partitionOf(region)}:kinesis:${region}:${account}:stream/${streamName ?? "*"}`;
  const put: Statement = {
    Sid: "PutRecords",
    Effect: "Allow",
    Action: PRODUCER_ACTIONS,
    Resource: arn,
  };
  const encrypt: Statement | undefined =
    kmsKey === undefined
      ? undefined
      : {
          Sid: "EncryptStream",
          Effect: "Allow",
          Action: ["kms:GenerateDataKey"],
          Resource: kmsKey,
          Condition: {
            StringEquals: { "kms:ViaService": `kinesis.${region}.${domainOf(region)}` },
          },
        };
  const publish: Statement | undefined =
    metricsLevel === "none"
      ? undefined
      : {
          Sid: "PublishMetrics",
          Effect: "Allow",
          Action: ["cloudwatch:PutMetricData"],
          Resource: "*",
          Condition: { StringEquals: { "cloudwatch:namespace": metricsNamespace } },
        };
  const statements = [put, encrypt, publish].filter((each) => each !== undefined);
  const placeholders = [region, account].filter((part) => part === REGION || part === ACCOUNT);
  const notes = [
    placeholders.length > 0 &&
      `Replace ${placeholders.join(" and ")} in the policy, or name them with --region and --account.`,
    streamName === undefined &&
      "The file names no stream, so the policy allows every stream: set streamName to narrow it.",
    kmsKey === undefined &&
      "If the stream is encrypted with your own key (not alias/aws/kinesis), the producer also needs kms:GenerateDataKey on it: add --kms-key ARN.",
  ].filter((note) => typeof note === "string");
  return { policy: { Version: "2012-10-17", Statement: statements }, notes };
}
