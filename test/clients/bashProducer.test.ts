// The Bash producer: its sample program, and its API.

import { join } from "node:path";
import { it } from "vitest";
import { expectWholeApi, testProducerClient } from "../support/producerClient.ts";
import { needLanguage } from "../support/toolchains.ts";

testProducerClient("bash");

it("does all that it offers", async (test) => {
  await needLanguage(test, "bash");
  await expectWholeApi(["bash", join(import.meta.dirname, "producers", "api.sh")], "pipe");
});
