// The Ruby client: its own tests, and its sample over pipes.

import { it } from "vitest";
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
