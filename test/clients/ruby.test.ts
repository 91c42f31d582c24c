// The Ruby client: its own tests, its sample over pipes, and the protocol's transcripts.

import { it } from "vitest";
import { expectConformance } from "../support/conformance.ts";
import { buildSample, needLanguage, runCommand } from "../support/toolchains.ts";
import { expectWordCount } from "../support/wordCountConversation.ts";

it("passes its own tests", async (context) => {
  await needLanguage(context, "ruby", ["ruby", "-rminitest", "-e", "0"]);
  await runCommand(["ruby", "-w", "-Ilib", "test/test_kinesis_multilang.rb"], {
    cwd: "clients/ruby",
  });
});

it("its sample counts words", async (context) => {
  await expectWordCount(await buildSample(await needLanguage(context, "ruby")));
});

it("its sample conforms to the protocol", { timeout: 180_000 }, async (context) => {
  await expectConformance(await buildSample(await needLanguage(context, "ruby")));
});
