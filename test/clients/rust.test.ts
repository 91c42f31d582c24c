// The Rust client: its own tests, its sample over pipes, and the protocol's transcripts.

import { join } from "node:path";
import { it } from "vitest";
import { expectConformance } from "../support/conformance.ts";
import { buildSample, needLanguage, runCommand, TOOLS_CACHE } from "../support/toolchains.ts";
import { expectWordCount } from "../support/wordCountConversation.ts";

it("passes its own tests", { timeout: 180_000 }, async (context) => {
  await needLanguage(context, "rust");
  const env = { CARGO_TARGET_DIR: join(TOOLS_CACHE, "rust-tests") };
  await runCommand(["cargo", "test", "--offline", "--quiet"], { cwd: "clients/rust", env });
});

it("its sample counts words", { timeout: 180_000 }, async (context) => {
  await expectWordCount(await buildSample(await needLanguage(context, "rust")));
});

it("its sample conforms to the protocol", { timeout: 180_000 }, async (context) => {
  await expectConformance(await buildSample(await needLanguage(context, "rust")));
});
