import { createServer } from "node:net";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, inject, it } from "vitest";
import { startDynamo, startKinesis } from "../../src/local/services.ts";
import { UserError } from "../../src/model/errors.ts";
import { createStream, leaseItems, put, shardsOf, until } from "../support/emulators.ts";

describe("the shared emulators", () => {
  it("store what is put, shard by shard", async () => {
    const stream = await createStream("emulators", 3);
    const shards = (await shardsOf(stream)).map((shard) => shard.ShardId);
    expect(shards).toHaveLength(3);
    const put1 = await put(
      stream,
      Array.from({ length: 700 }, (_, i) => `word${i}`),
    );
    expect(put1).toHaveLength(700);
    expect(new Set(put1.map((record) => record.shardId))).toEqual(new Set(shards));
    expect(await leaseItems("no-such-table")).toEqual(new Map());
  });
});

describe("a local service", () => {
  it.each([
    ["Kinesis", startKinesis, "--kinesis-port"],
    ["DynamoDB", startDynamo, "--dynamodb-port"],
  ])("%s names the option to change when its port is in use", async (_, start, option) => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    await expect(start({ port })).rejects.toThrow(UserError);
    await expect(start({ port })).rejects.toThrow(new RegExp(`Port ${port} .* in use.*${option}`));
    server.close();
  });

  it("listens on the requested port, and its process has ended after stop", async () => {
    const first = await startDynamo();
    await first.stop();
    expect(isAlive(first.pid)).toBe(false);
    const port = Number(new URL(first.url).port);
    const second = await startDynamo({ port });
    expect(second.url).toBe(`http://127.0.0.1:${port}`);
    await second.stop();
    expect(await second.ended).toBe("SIGKILL");
  });

  it("ends when its parent is killed", async () => {
    const parent = execa(
      process.execPath,
      [
        "--input-type=module",
        "--eval",
        `import { startDynamo } from ${JSON.stringify(new URL("../../.cache/js/local/services.js", import.meta.url).href)};
         console.log((await startDynamo()).pid);`,
      ],
      { cwd: join(import.meta.dirname, "../.."), reject: false, buffer: false },
    );
    const pid = await new Promise<number>((resolve) => {
      parent.stdout.once("data", (chunk: Buffer) => resolve(Number(chunk.toString())));
    });
    expect(isAlive(pid)).toBe(true);
    parent.kill("SIGKILL");
    await until(`process ${pid} to end`, () => !isAlive(pid));
  });

  it("is reachable only from this machine", async () => {
    expect(new URL(inject("kinesisUrl")).hostname).toBe("127.0.0.1");
    const addresses = Object.values((await import("node:os")).networkInterfaces())
      .flatMap((entries) => entries ?? [])
      .filter((entry) => !entry.internal && entry.family === "IPv4");
    for (const { address } of addresses) {
      const elsewhere = inject("kinesisUrl").replace("127.0.0.1", address);
      await expect(fetch(elsewhere)).rejects.toThrow();
    }
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
