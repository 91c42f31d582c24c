import { mkdtemp, readdir, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Event } from "../../src/events.ts";
import type { UserRecord } from "../../src/producer/record.ts";
import { crc32c, readFrames, takenFrame } from "../../src/producer/spill/frames.ts";
import { Spill } from "../../src/producer/spill/spill.ts";

const newFolder = () => mkdtemp(join(tmpdir(), "spill-"));
const recordOf = (text: string): UserRecord => ({ partitionKey: "k", data: Buffer.from(text) });

/** As after kill -9: the lock of a dead process stays behind. */
async function crashed(folder: string): Promise<void> {
  await writeFile(join(folder, "lock"), "999999999 1");
}

async function reopened(folder: string) {
  const events: Event[] = [];
  const { spill, left } = await Spill.open(folder, (event) => events.push(event));
  return { spill, events, left, texts: left.map(({ record }) => String(record.data)) };
}

describe("frames", () => {
  it("has the checksum of RFC 3720", () => {
    expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
    expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
  });

  it("reads what was written, up to a damaged or cut frame", () => {
    const record = fc.record({
      partitionKey: fc.string({ unit: "grapheme", minLength: 1, maxLength: 50 }),
      explicitHashKey: fc.constantFrom("0", "5"),
      data: fc.uint8Array({ maxLength: 50 }),
    });
    const records = fc.array(record, { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(records, fc.nat(), (list, cut) => {
        const frames = list.map((each, i) =>
          takenFrame({
            number: i + 1,
            streamName: "s",
            record: { ...each, data: Buffer.from(each.data) },
          }),
        );
        const whole = Buffer.concat(frames);
        const length = cut % (whole.length + 1);
        const { frames: read, end } = readFrames(whole.subarray(0, length));
        let [count, bytes] = [0, 0];
        while (frames[count] && bytes + (frames[count]?.length ?? 0) <= length) {
          bytes += frames[count]?.length ?? 0;
          count += 1;
        }
        expect([read.length, end]).toEqual([count, bytes]);
        expect(read.map((each) => (each.kind === "taken" ? each.record : undefined))).toEqual(
          list.slice(0, count).map((each) => ({ ...each, data: Buffer.from(each.data) })),
        );
        const damaged = Buffer.from(whole);
        const at = cut % whole.length;
        damaged[at] = (damaged[at] ?? 0) ^ 0x40;
        expect(readFrames(damaged).frames.length).toBeLessThan(list.length);
      }),
    );
  });
});

describe("a spill directory", () => {
  it("returns what was taken and is not done, in order", async () => {
    const folder = await newFolder();
    const { spill } = await reopened(folder);
    const kept = await Promise.all(
      ["a", "b", "c"].map((text) => spill.append("s", recordOf(text))),
    );
    kept[1]?.done();
    // Its completion is written before this one is on disk.
    await spill.append("s", recordOf("d"));
    await crashed(folder);
    const after = await reopened(folder);
    expect(after.texts).toEqual(["a", "c", "d"]);
    expect(after.events).toContainEqual({ type: "spillRecovered", records: 3 });
    for (const { done } of after.left) done();
    await after.spill.close();
    expect(await readdir(folder)).toEqual([]);
    await spill.close();
  });

  it("cuts a torn tail, and keeps everything before it", async () => {
    const folder = await newFolder();
    const { spill } = await reopened(folder);
    for (const text of ["a", "b"]) await spill.append("s", recordOf(text));
    const [name = ""] = (await readdir(folder)).filter((each) => each.endsWith(".spill"));
    const file = join(folder, name);
    await truncate(file, (await stat(file)).size - 3);
    await crashed(folder);
    const after = await reopened(folder);
    expect(after.texts).toEqual(["a"]);
    expect(after.events).toContainEqual(expect.objectContaining({ type: "spillTornTail" }));
    await after.spill.append("s", recordOf("e"));
    await crashed(folder);
    const again = await reopened(folder);
    expect(again.texts).toEqual(["a", "e"]);
    expect(again.events).not.toContainEqual(expect.objectContaining({ type: "spillTornTail" }));
    for (const each of [spill, after.spill, again.spill]) await each.close();
  });

  it("refuses a second producer", async () => {
    const folder = await newFolder();
    const { spill } = await reopened(folder);
    await expect(Spill.open(folder, () => {})).rejects.toThrow(/used by another producer/);
    expect((await readFile(join(folder, "lock"), "utf8")).startsWith(`${process.pid} `)).toBe(true);
    await spill.close();
    await (await reopened(folder)).spill.close();
  });
});
