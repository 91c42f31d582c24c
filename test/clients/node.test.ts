// The Node client: its own tests, its types as a program uses them, and its sample over pipes.

import { PassThrough } from "node:stream";
import { expect, it } from "vitest";
import {
  CheckpointError,
  kcl,
  type LegacyRecordProcessor,
  type RecordProcessor,
} from "../../clients/node/kcl.mjs";
import { lambdaProcessor } from "../../clients/node/lambda.mjs";
import { expectConformance } from "../support/conformance.ts";
import { buildSample, needLanguage, runCommand } from "../support/toolchains.ts";
import { expectWordCount } from "../support/wordCountConversation.ts";

it("passes its own tests", async (context) => {
  await needLanguage(context, "node");
  await runCommand(["node", "--test"], { cwd: "clients/node" });
});

it("its sample counts words", async (context) => {
  await expectWordCount(await buildSample(await needLanguage(context, "node")));
});

it("has types for every style of processor", async () => {
  const modern = {
    async processRecords({ records, checkpointer, log }) {
      await log("info", `${records.length} records`);
      const last = records.at(-1);
      if (last) await checkpointer.checkpoint(last);
    },
    shardEnded: ({ checkpointer }) => checkpointer.checkpoint(),
  } satisfies RecordProcessor;
  const legacy = {
    processRecords({ checkpointer }, completeCallback) {
      checkpointer.checkpoint("7", (error) => completeCallback(error));
    },
    async shutdown(input) {
      if (input.reason === "TERMINATE") await input.checkpointer.checkpoint();
    },
  } satisfies LegacyRecordProcessor;
  const lambda = lambdaProcessor(async (event) => ({
    batchItemFailures: event.Records.map(({ kinesis }) => ({
      itemIdentifier: kinesis.sequenceNumber,
    })),
  }));
  for (const processor of [modern, legacy, lambda]) {
    const input = new PassThrough();
    input.end();
    await kcl(processor, input, new PassThrough()).run();
  }
  expect(new CheckpointError("ShutdownException").value).toBe("ShutdownException");
});

it("its sample conforms to the protocol", { timeout: 180_000 }, async (context) => {
  await expectConformance(await buildSample(await needLanguage(context, "node")));
});
