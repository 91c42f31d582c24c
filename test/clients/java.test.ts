// The Java client: its own tests, its sample over pipes, and the protocol's transcripts.

import { join } from "node:path";
import { it } from "vitest";
import { expectConformance } from "../support/conformance.ts";
import { buildSample, needLanguage, runCommand, TOOLS_CACHE } from "../support/toolchains.ts";
import { expectWordCount } from "../support/wordCountConversation.ts";

const SOURCES = [
  "src/main/java/kinesismultilang/Json.java",
  "src/main/java/kinesismultilang/Kcl.java",
  "src/test/java/kinesismultilang/KclTest.java",
];

it("passes its own tests", async (context) => {
  await needLanguage(context, "java");
  const classes = join(TOOLS_CACHE, "java-tests");
  const strictly = ["-Xlint:all,-serial", "-Werror", "--release", "11", "-encoding", "UTF-8"];
  await runCommand(["javac", ...strictly, "-d", classes, ...SOURCES], { cwd: "clients/java" });
  await runCommand(["java", "-cp", classes, "kinesismultilang.KclTest"], { cwd: "clients/java" });
});

it("its sample counts words", async (context) => {
  await expectWordCount(await buildSample(await needLanguage(context, "java")));
});

it("its sample conforms to the protocol", { timeout: 180_000 }, async (context) => {
  await expectConformance(await buildSample(await needLanguage(context, "java")));
});
