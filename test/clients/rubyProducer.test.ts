// The Ruby producer: its sample program, and its API over pipes and a Unix socket.

import { join } from "node:path";
import { it } from "vitest";
import { expectWholeApi, testProducerClient } from "../support/producerClient.ts";
import { needLanguage } from "../support/toolchains.ts";

testProducerClient("ruby");

it.for(["pipe", "socket"] as const)(
  "does all that it offers over a %s",
  async (connection, test) => {
    await needLanguage(test, "ruby");
    await expectWholeApi(
      ["ruby", "-w", join(import.meta.dirname, "producers", "api.rb")],
      connection,
    );
  },
);
