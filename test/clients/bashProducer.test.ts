// The Bash producer: its sample program, and its API.

import { join } from "node:path";
import { it, vi } from "vitest";
import { expectWholeApi, testProducerClient } from "../support/producerClient.ts";
import { needLanguage } from "../support/toolchains.ts";

// Bash reads a pipe byte by byte, and the tests have lines of 1 MiB.
vi.setConfig({ testTimeout: 300_000 });

testProducerClient("bash");

it("does all that it offers", async (test) => {
  await needLanguage(test, "bash");
  await expectWholeApi(["bash", join(import.meta.dirname, "producers", "api.sh")], "pipe");
});
