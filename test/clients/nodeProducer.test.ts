// The Node producer: its sample program, its API over pipes and a Unix socket, and its types.

import { join } from "node:path";
import { expect, it } from "vitest";
import { Producer, RecordFailed, type RecordToPut } from "../../clients/node/producer.mjs";
import { expectWholeApi, testProducerClient } from "../support/producerClient.ts";

testProducerClient("node");

it.for(["pipe", "socket"] as const)("does all that it offers over a %s", async (connection) => {
  await expectWholeApi(
    [process.execPath, join(import.meta.dirname, "producers", "api.mjs")],
    connection,
  );
});

it("fails what waits if nobody listens, and says why", async () => {
  const record = { partitionKey: "k", data: new Uint8Array(3) } satisfies RecordToPut;
  const producer = new Producer({ socket: "/nobody/listens.sock" });
  const failures = [producer.put(record), producer.ready(), producer.flush(), producer.close()].map(
    (promise: Promise<unknown>) => promise.catch((error: unknown) => error),
  );
  for (const error of await Promise.all(failures)) {
    expect(error).toBeInstanceOf(RecordFailed);
    expect(error).toMatchObject({
      code: "ProducerDied",
      message: expect.stringContaining("/nobody/listens.sock"),
    });
  }
});
