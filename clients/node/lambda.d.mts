// Types of lambda.mjs: an AWS Lambda function for Kinesis, unchanged, as a record processor.

import type { RecordProcessor } from "./kcl.mjs";

/** The event of Lambda's Kinesis trigger; field for field what `KinesisStreamEvent` of @types/aws-lambda says. */
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
  /** Records per invocation at most; 100 when absent, as in an event source mapping. */
  readonly batchSize?: number;
  /** How long an invocation may take; 900,000 when absent, the longest that Lambda allows. */
  readonly timeoutMs?: number;
  readonly functionName?: string;
  /** `eventSourceARN` of the records; its region becomes `awsRegion`. */
  readonly streamArn?: string;
}

/** Rejects `processRecords`: the function threw, timed out or reported `batchItemFailures`. */
export declare class InvocationError extends Error {}

/**
 * Each batch is one invocation or, above `batchSize`, several. What succeeded is checkpointed: after the last
 * one, and before the first failed record when one fails, which then rejects with an InvocationError.
 */
export declare function lambdaProcessor(
  handler: LambdaHandler,
  options?: LambdaOptions,
): RecordProcessor;

/** @param name as Lambda writes it, such as `src/index.handler`. @throws Error when there is no such function. */
export declare function loadHandler(name: string): Promise<LambdaHandler>;
