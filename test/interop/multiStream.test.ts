// The rows of several streams, against KCL's own serializer. This needs INTEROP=1, Java and Maven.

import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import { sentinel } from "../../src/leases/lease.ts";
import { newItem } from "../../src/leases/table/dynamoItem.ts";
import { inStream, shardKey } from "../../src/model/shardKey.ts";
import { temporaryFolder } from "../support/daemon.ts";
import { JAVA_VERSION, libraryOf } from "./javaDaemon.ts";

const STREAM = "123456789012:orders:1700000000";
const [SHARD, PARENT] = ["shardId-000000000002", "shardId-000000000000"];
const LIMIT_MS = 600_000;

describe("a row of KCL's multi-stream mode", () => {
  it("is the same from both, and each reads the other's", { timeout: LIMIT_MS }, async () => {
    const library = await libraryOf({ daemon: JAVA_VERSION });
    const ours = newItem({
      ...inStream(STREAM, { shardId: SHARD, parentShardIds: [PARENT] }),
      checkpoint: sentinel("TRIM_HORIZON"),
      hashKeyRange: { startingHashKey: "0", endingHashKey: "99" },
    });
    const out = await temporaryFolder();
    const classPath = `${join(library, "*")}:${out}`;
    const source = join(import.meta.dirname, "MultiStreamRows.java");
    await execa("javac", ["-proc:none", "-cp", classPath, "-d", out, source]);
    const args = [STREAM, SHARD, PARENT, JSON.stringify(ours)];
    const { stdout } = await execa("java", ["-cp", classPath, "MultiStreamRows", ...args]);
    const { written, read } = JSON.parse(stdout.split("\n").at(-1) ?? "");
    expect(ours).toEqual(written);
    const key = shardKey(STREAM, SHARD);
    expect(read).toEqual({ key, leaseKey: key, parents: [PARENT], checkpoint: "TRIM_HORIZON" });
  });
});
