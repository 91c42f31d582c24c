// One signal for several, and what is left of it when nobody needs it any more.

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { anySignal, underAny } from "../src/signals.ts";
import { leftIn } from "./support/signals.ts";

test("it follows the first source that is aborted, with its reason", () => {
  const [one, other] = [new AbortController(), new AbortController()];
  const { signal } = anySignal(one.signal, other.signal);
  expect(signal.aborted).toBe(false);
  other.abort(new Error("enough"));
  one.abort(new Error("too late"));
  expect(signal.reason).toEqual(new Error("enough"));
});

test("it is aborted from the start where a source is", () => {
  const { signal } = anySignal(new AbortController().signal, AbortSignal.abort("over"));
  expect(signal.reason).toBe("over");
});

test("once released it follows nobody", () => {
  const source = new AbortController();
  const { signal, release } = anySignal(source.signal);
  release();
  source.abort();
  expect(signal.aborted).toBe(false);
});

test("it leaves nothing in its sources, whether it was released, aborted, or its work failed", async () => {
  const source = new AbortController();
  const other = new AbortController();
  for (let time = 0; time < 100; time += 1) {
    await underAny([source.signal, other.signal], async () => {});
    await underAny([source.signal], () => Promise.reject(new Error("failed"))).catch(() => {});
  }
  anySignal(source.signal, other.signal);
  other.abort();
  expect(leftIn(source.signal)).toBe(0);
});

test("nothing that runs for long uses AbortSignal.any", async () => {
  const folder = join(import.meta.dirname, "../src");
  const names = await readdir(folder, { recursive: true });
  const users: string[] = [];
  for (const name of names.filter((each) => each.endsWith(".ts"))) {
    if ((await readFile(join(folder, name), "utf8")).includes("AbortSignal.any(")) users.push(name);
  }
  // Commands that end after a call or two.
  expect(users.filter((name) => !/^(sample|operator)\//.test(name))).toEqual([]);
});
