// A daemon whose event loop is really held up: it is stopped for a while, as by a host without CPU
// to spare.

import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { createStream } from "../support/emulators.ts";
import { Journal } from "../support/journal.ts";
import { startMischief } from "../support/mischief.ts";

it("reports that its event loop was blocked for longer than leases can wait", async () => {
  const stream = await createStream("held", 1);
  const journal = await Journal.create();
  const properties = { failoverTimeMillis: 3_000 };
  const daemon = await startMischief({ stream, journal, properties });
  await daemon.waitFor("leaseRenewed");
  daemon.signal("SIGSTOP");
  await sleep(2_500);
  daemon.signal("SIGCONT");
  const isTold = ({ event, longestMs }: { event: string; longestMs?: unknown }) =>
    event === "eventLoopHeld" && Number(longestMs) >= 1_000;
  const held = await daemon.waitFor(isTold);
  expect(held).toMatchObject({ level: "warn", endangers: "leases" });
  expect(held.message).toContain("The event loop was blocked");
  expect(await daemon.stop()).toBe(0);
});
