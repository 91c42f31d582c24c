// What the keys mean that the Java daemon does not know.

import type { GroupDocs } from "./keyDoc.ts";

export const ourDocs: GroupDocs<"ours"> = {
  emfDestination: {
    meaning:
      "Where KCL's metrics are written as lines in CloudWatch's embedded metric format, instead of calls to CloudWatch: stdout, or file:PATH.",
    absent: "metrics are published to CloudWatch",
  },
  leaseStore: {
    meaning:
      "Where leases and checkpoints are stored: in DynamoDB, which several daemons can share, or in a local directory (file:DIRECTORY), which one daemon uses and which needs no table.",
    absent: "DynamoDB",
    java: "It always uses DynamoDB.",
  },
  onChildFailure: {
    meaning:
      "What happens when a child fails: the shard gets a new child (restart), another worker gets the lease (releaseLease), or the daemon ends (exit).",
    java: "It always ends.",
  },
  maxChildRestarts: {
    meaning:
      "How many new children a shard gets within `childRestartWindowMillis`. After that the daemon releases the lease to another worker.",
  },
  childRestartWindowMillis: { meaning: "The period over which restarts are counted." },
  maximumRetryAttempts: {
    meaning:
      "How often records at which the child fails are delivered again before they are sent to `onFailureDestination` and skipped. The value -1 means without limit; otherwise `onFailureDestination` is required.",
  },
  maximumRecordAgeInSeconds: {
    meaning:
      "From which age records are sent to `onFailureDestination` and skipped at their first failure. The value -1 means at no age; otherwise `onFailureDestination` is required.",
  },
  bisectBatchOnFunctionError: {
    meaning:
      "Whether a batch that fails again is halved until the record that makes the child fail is alone.",
  },
  onFailureDestination: {
    meaning:
      "Where records are sent that no child could process: a file, an SQS queue, an SNS topic, an S3 bucket or another Kinesis stream.",
    absent: "no record is skipped",
  },
  aggregateHashRangeCheck: {
    meaning:
      "What happens to a KPL aggregate with a record whose hash key belongs to another shard. With drop, the daemon logs it and sends it to `onFailureDestination` if that is set. With deliver, the child receives its records.",
    java: "It drops such an aggregate and logs nothing.",
  },
  progressTimeoutSeconds: {
    meaning:
      "How long a shard may make no progress. After that the daemon replaces its reader or its child once, and then releases its lease.",
    absent: "no limit",
  },
  checkpointPolicy: {
    meaning:
      "Who checkpoints: the record processor, or the daemon after each batch that was processed (onBatchSuccess).",
    java: "Only the record processor checkpoints.",
  },
  checkpointIntervalMs: {
    meaning:
      "How often a shard's checkpoint is stored at most. A checkpoint is then acknowledged before it is stored. The value 0 stores each checkpoint before it is acknowledged.",
    java: "It stores each checkpoint before it acknowledges it.",
  },
  maxBufferedBytes: {
    meaning: "The most memory for records that are fetched and not yet delivered, for all shards.",
    absent:
      "16 MiB, and more for busy shards as measured: at most 8 MiB for each shard and 256 MiB in all",
    java: "It buffers up to 8 MiB for each shard.",
  },
  parallelizationFactor: {
    meaning:
      "How many children share each shard. Records with one partition key go to the same child, in order. With auto, the daemon adds children while the shard is behind and all of them are busy, and takes them away while most are idle. docs/sizing.md says when to use it.",
    java: "One child processes a shard.",
  },
  maxLaneAheadBytes: {
    meaning:
      "With parallelizationFactor: how far the children of a shard may be ahead of its stored checkpoint. A restart delivers up to this size of records again.",
    java: "One child processes a shard.",
  },
  maxBatchRecords: {
    meaning: "The most records in a batch.",
    absent: "the records of one response, at most `maxRecords`",
  },
  maxBatchBytes: {
    meaning: "The largest batch. A single record that is larger is a batch by itself.",
    absent: "no limit",
  },
  maxBatchWindowMs: {
    meaning:
      "How long a batch that is not full waits for more records. The value 0 delivers records as they arrive.",
  },
  childDialect: {
    meaning:
      "Which messages end a child: those of KCL 2.x and 3.x (kcl2) or those of KCL 1.x (kcl1). With auto, the daemon begins with kcl2 and changes when a child does not understand it.",
    java: "KCL 2.1 and later send only the messages of kcl2.",
  },
  childEnv: {
    meaning:
      "The environment variables that a child receives, by name or by a beginning such as `APP_*`. PATH, HOME, LANG and a few others are always passed.",
    absent: "a child receives the whole environment",
  },
  passCredentials: {
    meaning:
      "Whether a child receives the environment variables from which an AWS SDK takes credentials.",
    java: "It always passes them.",
  },
  httpListen: {
    meaning:
      "Where the daemon serves its status page, its health and its metrics: a port of this machine, or a Unix socket. `--http` overrides it. docs/operating.md describes the endpoints.",
    absent: "nothing is served",
  },
  httpToken: {
    meaning:
      "The token with which HTTP clients may drain, resume and change the daemon. On an address that other machines reach, reading needs it too. Take it from a file or the environment; docs/operating.md shows how.",
    absent: "such requests are accepted over a Unix socket only",
  },
  httpAllowRemote: {
    meaning:
      "Whether everybody who reaches `httpListen` may read what it serves, without a token, from other machines too. Changes need the token in any case.",
  },
  logToStdout: {
    meaning:
      "Whether the log goes to STDOUT instead of STDERR. Errors of the start and of the end are printed on STDERR in any case.",
    java: "It logs to STDOUT unless a logback configuration says otherwise.",
  },
};
