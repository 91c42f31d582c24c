// The Go client: its own tests, its sample over pipes, and the protocol's transcripts.

import { it } from "vitest";
import { expectConformance } from "../support/conformance.ts";
import { buildSample, needLanguage, runCommand } from "../support/toolchains.ts";
import { expectWordCount } from "../support/wordCountConversation.ts";

it("passes its own tests", async (context) => {
  const { build } = await needLanguage(context, "go");
  const options = { cwd: "clients/go", env: build?.env ?? {} };
  await runCommand(["go", "vet", "./..."], options);
  await runCommand(["go", "test", "-count=1", "./..."], options);
});

it("its sample counts words", async (context) => {
  await expectWordCount(await buildSample(await needLanguage(context, "go")));
});

it("its sample conforms to the protocol", { timeout: 180_000 }, async (context) => {
  await expectConformance(await buildSample(await needLanguage(context, "go")));
});
