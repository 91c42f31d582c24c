// The Go producer: its sample program, and its API over pipes and a Unix socket.

import { join } from "node:path";
import { it } from "vitest";
import { expectWholeApi, testProducerClient } from "../support/producerClient.ts";
import { buildSample, needLanguage, TOOLS_CACHE } from "../support/toolchains.ts";

testProducerClient("go");

it.for(["pipe", "socket"] as const)(
  "does all that it offers over a %s",
  async (connection, test) => {
    const { build } = await needLanguage(test, "go");
    if (!build) throw new Error("the Go sample is compiled");
    const program = join(TOOLS_CACHE, "samples", "producer-api-go");
    const source = join(import.meta.dirname, "producers", "api.go");
    const command = ["go", "build", "-o", program, source] as const;
    await expectWholeApi(
      await buildSample({ build: { ...build, command }, executable: [program] }),
      connection,
    );
  },
);
