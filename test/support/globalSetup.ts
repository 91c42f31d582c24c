// Starts one Kinesis and one DynamoDB for the whole test run. Every test creates its own streams
// and tables in them.

import type { TestProject } from "vitest/node";
import { startDynamo, startKinesis } from "../../src/local/services.ts";

declare module "vitest" {
  export interface ProvidedContext {
    kinesisUrl: string;
    dynamoUrl: string;
  }
}

/** vitest calls this before the first test file, and the returned function after the last. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const [kinesis, dynamo] = await Promise.all([startKinesis(), startDynamo()]);
  project.provide("kinesisUrl", kinesis.url);
  project.provide("dynamoUrl", dynamo.url);
  return async () => {
    await Promise.all([kinesis.stop(), dynamo.stop()]);
  };
}
