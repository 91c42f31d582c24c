// Types of lambda.mjs, which runs an unchanged AWS Lambda function for Kinesis as a record
// processor.

import type { RecordProcessor } from "./kcl.mjs";

/**
 * The event of Lambda's Kinesis trigger, with the fields of `KinesisStreamEvent` in
 * @types/aws-lambda.
 */
export interface KinesisStreamEvent {
  Records: {
    kinesis: {
      kinesisSchemaVersion: string;
      partitionKey: string;
      sequenceNumber: string;
      /** Base64. */
      data: string;
      /** Seconds since 1970. */
      approximateArrivalTimestamp: number;
    };
    eventSource: string;
    eventVersion: string;
    /** `shardId-…:sequence number`. */
    eventID: string;
    eventName: string;
    invokeIdentityArn: string;
    awsRegion: string;
    eventSourceARN: string;
  }[];
}

export interface KinesisStreamBatchResponse {
  batchItemFailures: { itemIdentifier: string }[];
}

export interface LambdaContext {
  callbackWaitsForEmptyEventLoop: boolean;
  functionName: string;
  functionVersion: string;
  invokedFunctionArn: string;
  memoryLimitInMB: string;
  /** New for each invocation. */
  awsRequestId: string;
  logGroupName: string;
  logStreamName: string;
  getRemainingTimeInMillis(): number;
  done(error?: Error | string | null, result?: unknown): void;
  succeed(result?: unknown): void;
  fail(error?: Error | string): void;
}

export type LambdaHandler = (
  event: KinesisStreamEvent,
  context: LambdaContext,
  callback: (error?: Error | string | null, result?: unknown) => void,
) => unknown;

export interface LambdaOptions {
  /**
   * The maximum number of records per invocation. The default is 100, as in an event source
   * mapping.
   */
  readonly batchSize?: number;
  /** How long an invocation may take. The default is 900,000, Lambda's maximum. */
  readonly timeoutMs?: number;
  readonly functionName?: string;
  /** `eventSourceARN` of the records; its region becomes `awsRegion`. */
  readonly streamArn?: string;
}

/** Rejects `processRecords`: the function threw, timed out or reported `batchItemFailures`. */
export declare class InvocationError extends Error {}

/**
 * Each batch is one invocation, or several if it exceeds `batchSize`. A batch that succeeds is
 * checkpointed at its end. If a record fails, the position before the first failed record is
 * checkpointed, and the promise is rejected with an InvocationError.
 */
export declare function lambdaProcessor(
  handler: LambdaHandler,
  options?: LambdaOptions,
): RecordProcessor;

/**
 * @param name the handler as Lambda writes it, such as `src/index.handler`.
 * @throws Error if there is no such function.
 */
export declare function loadHandler(name: string): Promise<LambdaHandler>;
