// The Python producer: its sample program, and both of its APIs over pipes and a Unix socket.

import { join } from "node:path";
import { it } from "vitest";
import { expectWholeApi, testProducerClient } from "../support/producerClient.ts";
import { needLanguage } from "../support/toolchains.ts";

testProducerClient("python");

const CASES = [
  ["api.py", "pipe"],
  ["api.py", "socket"],
  ["api_asyncio.py", "pipe"],
  ["api_asyncio.py", "socket"],
] as const;

it.for(CASES)("does all that it offers: %s over a %s", async ([file, connection], context) => {
  await needLanguage(context, "python");
  const program = join(import.meta.dirname, "producers", file);
  await expectWholeApi(["python3", "-X", "dev", program], connection);
});
