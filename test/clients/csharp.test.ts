// The C# client: its own tests, its sample over pipes, and the protocol's transcripts.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { it } from "vitest";
import { expectConformance } from "../support/conformance.ts";
import { buildSample, needLanguage, runCommand, TOOLS_CACHE } from "../support/toolchains.ts";
import { expectWordCount } from "../support/wordCountConversation.ts";

it("passes its own tests", { timeout: 180_000 }, async (context) => {
  await needLanguage(context, "csharp");
  await mkdir(TOOLS_CACHE, { recursive: true });
  const program = join(TOOLS_CACHE, "csharp-tests.exe");
  const strictly = ["-warn:4", "-warnaserror"];
  await runCommand(
    ["mcs", ...strictly, `-out:${program}`, "Json.cs", "Kcl.cs", "test/KclTest.cs"],
    {
      cwd: "clients/csharp",
    },
  );
  await runCommand(["mono", program], { cwd: "clients/csharp" });
});

it("its sample counts words", { timeout: 180_000 }, async (context) => {
  await expectWordCount(await buildSample(await needLanguage(context, "csharp")));
});

it("its sample conforms to the protocol", { timeout: 180_000 }, async (context) => {
  await expectConformance(await buildSample(await needLanguage(context, "csharp")));
});
