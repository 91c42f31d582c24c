// What the keys of the daemon itself and of its AWS clients mean.

import type { GroupDocs } from "./keyDoc.ts";

export const daemonDocs: GroupDocs<"daemon"> = {
  executableName: {
    meaning:
      "The command that the daemon starts once for each shard it holds. The daemon splits it at spaces and uses no shell; quotes keep words together.",
    absent: "required",
    java: "It also splits at spaces, but treats quotes as part of the words. It does not look for the program until the first lease is processed.",
  },
  applicationName: {
    meaning:
      "The name of the application. It names the lease table and the enhanced fan-out consumer unless `tableName` or `fanoutConfig.consumerName` is set. Workers with the same name share the stream.",
    absent: "required",
  },
  streamName: {
    meaning:
      "The name of the stream to read. For several streams, a list such as `orders, clicks`, whose entries may also be ARNs; then the lease keys are those of KCL's multi-stream mode.",
    absent: "required unless `streamArn` is set",
    java: "Its daemon reads one stream.",
  },
  streamArn: {
    meaning:
      "The ARN of the stream to read, which may belong to another account. It overrides `streamName`. With the account 000000000000, only the name in it is used.",
    absent: "`streamName` is used",
    java: "It uses only the stream's name and ignores the region and the account.",
  },
  workerId: {
    meaning:
      "The name under which this worker owns leases. It must be unique for each running process.",
    absent: "a random UUID at each start",
  },
  timeoutInSeconds: {
    meaning: "How long a child may take to answer a message. After that the child has failed.",
    absent: "no limit",
    java: "When the time is over, the whole daemon ends with exit code 1.",
  },
  shutdownGraceMillis: {
    meaning:
      "How long a graceful shutdown may take: the children finish their batches, checkpoint and end, and the worker releases its leases.",
    java: "The default is 0: children are not waited for.",
  },
  initialPositionInStream: {
    meaning:
      "Where the application begins in a shard that has no checkpoint: at the oldest record (TRIM_HORIZON) or with new records (LATEST). AT_TIMESTAMP needs `initialPositionInStreamExtended`.",
    java: "It refuses AT_TIMESTAMP.",
  },
  initialPositionInStreamExtended: {
    meaning:
      "The time at which the application begins in a shard that has no checkpoint. It overrides `initialPositionInStream`.",
    absent: "`initialPositionInStream` is used",
    java: "It accepts only whole seconds. When both keys are set, the winner is undefined.",
  },
  retrievalMode: {
    meaning:
      "How records are read. POLLING shares the read throughput of a shard with its other consumers. FANOUT registers an enhanced fan-out consumer with throughput of its own, at additional cost. AUTO uses fan-out, and polls where fan-out is refused. DEFAULT polls if any polling key is set, and uses fan-out otherwise.",
    java: "It does not know AUTO and refuses to start with it.",
  },
};

const CHAIN = "`regionName`, then the SDK's region chain";

export const clientDocs: GroupDocs<"clients"> = {
  regionName: {
    meaning: "The AWS region of Kinesis and DynamoDB.",
    absent:
      "the SDK's region chain: AWS_REGION, the profile, the instance; for Kinesis, first the region in `streamArn`",
    java: "It never uses the region in `streamArn`.",
  },
  kinesisEndpoint: {
    meaning: "The endpoint of Kinesis, for an emulator or a VPC endpoint.",
    absent: "the endpoint of the region",
    java: "It accepts an endpoint without a scheme, and fails later.",
  },
  dynamoDBEndpoint: {
    meaning: "The endpoint of DynamoDB, for an emulator or a VPC endpoint.",
    absent: "the endpoint of the region",
    java: "It accepts an endpoint without a scheme, and fails later.",
  },
  AwsCredentialsProvider: {
    meaning:
      "Where credentials come from: providers separated by commas, tried in order, each written as NAME|ARGUMENT|…. It applies to all clients.",
    absent: "`DefaultCredentialsProvider`",
    java: "The key is required.",
  },
  AwsCredentialsProviderDynamoDB: {
    meaning: "Where the credentials for DynamoDB come from.",
    absent: "the value of `AwsCredentialsProvider`",
  },
  AwsCredentialsProviderCloudWatch: {
    meaning: "Where the credentials for CloudWatch come from.",
    absent: "the value of `AwsCredentialsProvider`",
  },
  "kinesisClient.region": {
    meaning: "The region of Kinesis alone.",
    absent: "`regionName`, then the region in `streamArn`, then the SDK's region chain",
    java: "It never uses the region in `streamArn`.",
  },
  "kinesisClient.endpointOverride": {
    meaning: "The endpoint of Kinesis. It overrides `kinesisEndpoint`.",
    absent: "the value of `kinesisEndpoint`",
  },
  "kinesisClient.dualstackEnabled": {
    meaning: "Whether to use the endpoint of Kinesis that supports IPv4 and IPv6.",
    absent: "as the SDK decides",
  },
  "kinesisClient.fipsEnabled": {
    meaning: "Whether to use the endpoint of Kinesis that complies with FIPS.",
    absent: "as the SDK decides",
  },
  "dynamoDbClient.region": { meaning: "The region of DynamoDB alone.", absent: CHAIN },
  "dynamoDbClient.endpointOverride": {
    meaning: "The endpoint of DynamoDB. It overrides `dynamoDBEndpoint`.",
    absent: "the value of `dynamoDBEndpoint`",
  },
  "dynamoDbClient.dualstackEnabled": {
    meaning: "Whether to use the endpoint of DynamoDB that supports IPv4 and IPv6.",
    absent: "as the SDK decides",
  },
  "dynamoDbClient.fipsEnabled": {
    meaning: "Whether to use the endpoint of DynamoDB that complies with FIPS.",
    absent: "as the SDK decides",
  },
  "cloudWatchClient.region": {
    meaning: "The region of CloudWatch alone.",
    absent: CHAIN,
  },
  "cloudWatchClient.endpointOverride": {
    meaning:
      "The endpoint of CloudWatch. It is needed to publish metrics when the endpoint of Kinesis is local.",
    absent: "the endpoint of the region",
  },
  "cloudWatchClient.dualstackEnabled": {
    meaning: "Whether to use the endpoint of CloudWatch that supports IPv4 and IPv6.",
    absent: "as the SDK decides",
  },
  "cloudWatchClient.fipsEnabled": {
    meaning: "Whether to use the endpoint of CloudWatch that complies with FIPS.",
    absent: "as the SDK decides",
  },
};
