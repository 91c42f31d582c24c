// The PHP client: its own tests, its sample over pipes, and the protocol's transcripts.

import { it } from "vitest";
import { expectConformance } from "../support/conformance.ts";
import { buildSample, needLanguage, runCommand } from "../support/toolchains.ts";
import { expectWordCount } from "../support/wordCountConversation.ts";

it("passes its own tests", { timeout: 180_000 }, async (context) => {
  await needLanguage(context, "php");
  await runCommand(["php", "test/test_kinesis_multilang.php"], { cwd: "clients/php" });
});

it("its sample counts words", async (context) => {
  await expectWordCount(await buildSample(await needLanguage(context, "php")));
});

it("its sample conforms to the protocol", { timeout: 180_000 }, async (context) => {
  await expectConformance(await buildSample(await needLanguage(context, "php")));
});
