// The Java producer: its sample program, and its API, which is that of the KPL.

import { join } from "node:path";
import { it } from "vitest";
import { expectWholeApi, testProducerClient } from "../support/producerClient.ts";
import { needLanguage, runCommand, TOOLS_CACHE } from "../support/toolchains.ts";

const FOLDER = "clients/java/src/main/java/kinesismultilang";

testProducerClient("java");

it("does all that it offers", async (test) => {
  await needLanguage(test, "java");
  const classes = join(TOOLS_CACHE, "java-producer-api");
  const sources = [
    `${FOLDER}/Json.java`,
    `${FOLDER}/Kcl.java`,
    `${FOLDER}/KinesisProducer.java`,
    join(import.meta.dirname, "producers", "Api.java"),
  ];
  const strictly = ["-Xlint:all,-serial", "-Werror", "--release", "11", "-encoding", "UTF-8"];
  await runCommand(["javac", ...strictly, "-d", classes, ...sources], { cwd: "." });
  const command = ["java", "-XX:TieredStopAtLevel=1", "-cp", classes, "Api"] as const;
  await expectWholeApi(command, "pipe");
});
