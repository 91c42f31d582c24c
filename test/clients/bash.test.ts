// The Bash client: its own tests, and its sample over pipes.

import { it } from "vitest";
import { buildSample, needLanguage, runCommand } from "../support/toolchains.ts";
import { expectWordCount } from "../support/wordCountConversation.ts";

it("passes its own tests", async (context) => {
  await needLanguage(context, "bash");
  await runCommand(["bash", "test/kcl_test.sh"], { cwd: "clients/bash" });
});

it("its sample counts words", async (context) => {
  await expectWordCount(await buildSample(await needLanguage(context, "bash")));
});
