// The status page in a real browser: what it shows, by which means it can be used, and whether
// axe-core objects to anything. It writes screenshots to node_modules/.cache, to be looked at.

import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TOOLS_CACHE } from "../support/toolchains.ts";
import { fillWithHistory, idOf, type Served, STARTED, serve } from "./served.ts";

const CHROMIUM = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
const PICTURES = join(TOOLS_CACHE, "status");
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** For a picture, on a machine that does much else. */
const PATIENCE_MS = 100_000;
const WIDE = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844 };

if (!existsSync(CHROMIUM)) {
  console.error(`skipped: the status page is tested with Chromium, which is not at ${CHROMIUM}`);
}

describe.skipIf(!existsSync(CHROMIUM))("the status page", { timeout: 2 * PATIENCE_MS }, () => {
  let browser: Browser;
  beforeAll(async () => {
    mkdirSync(PICTURES, { recursive: true });
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
  });
  afterAll(() => browser?.close());

  interface Look {
    readonly viewport?: typeof WIDE;
    readonly colorScheme?: "dark" | "light";
  }

  /** The page, once it shows the shards. Anything on its console is an error. */
  async function open(served: Served, { viewport = WIDE, colorScheme = "light" }: Look = {}) {
    const page = await browser.newPage({ viewport, colorScheme });
    const complaints: string[] = [];
    page.on("console", (message) => complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.goto(served.url);
    await page.locator("#table tbody tr").first().waitFor();
    return { page, complaints };
  }

  async function violations(page: Page): Promise<readonly string[]> {
    await page.evaluate(AXE);
    // A row is as every other: the first ones stand for all.
    const found = await page.evaluate('axe.run({ exclude: ["#table tbody tr:nth-child(n+20)"] })');
    const { violations: all } = found as {
      readonly violations: readonly {
        readonly id: string;
        readonly nodes: readonly { readonly html: string }[];
      }[];
    };
    return all.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
  }

  const picture = (page: Page, name: string) =>
    page.screenshot({ path: join(PICTURES, `${name}.png`), fullPage: true, timeout: PATIENCE_MS });

  const shownShards = (page: Page) => page.locator("#table tbody tr:visible th").allTextContents();

  it.each([
    ["4 shards, light", 4, {}],
    ["4 shards, dark", 4, { colorScheme: "dark" }],
    ["4 shards, on a phone", 4, { viewport: PHONE }],
    ["500 shards, light", 500, {}],
    ["500 shards, dark, on a phone", 500, { viewport: PHONE, colorScheme: "dark" }],
  ] as const)("is readable and accessible with %s", async (name, shards, look) => {
    const served = await serve();
    fillWithHistory(served, shards);
    const { page, complaints } = await open(served, look);
    expect(await page.locator("h1").textContent()).toBe("words");
    expect(await page.locator("#ready").textContent()).toBe("Ready");
    expect(await page.locator("#held").textContent()).toBe(String(shards / 2));
    expect(await shownShards(page)).toHaveLength(shards);
    await picture(page, name.replace(/\W+/g, "-"));
    expect(await violations(page)).toEqual([]);
    const overflow = "document.documentElement.scrollWidth - window.innerWidth";
    expect(await page.evaluate(overflow)).toBeLessThanOrEqual(0);
    expect(complaints).toEqual([]);
    await page.close();
  });

  it("follows what happens", async () => {
    const served = await serve();
    served.saw(STARTED);
    served.saw({ type: "waitingForStream", message: "there is no stream words." });
    const page = await browser.newPage({ viewport: WIDE });
    await page.goto(served.url);
    await page.getByText("Not ready: waiting for the stream").waitFor();
    await page.locator("#reasons").getByText("there is no stream words.").waitFor();
    fillWithHistory(served, 4);
    await page.getByText("Ready", { exact: true }).waitFor();
    await page.locator("#held", { hasText: "2" }).waitFor();
    const batch = { records: 7_000, bytes: 70_000, millisBehindLatest: 61_000, elapsedMs: 5 };
    const shardId = idOf(1);
    served.saw({ type: "batchProcessed", shardId, pid: 1, position: undefined, ...batch });
    await page.locator("#lag", { hasText: "61 s" }).waitFor();
    served.saw({ type: "leaseReleased", shardId: idOf(3) });
    await page.locator("#held", { hasText: "1" }).waitFor();
    await page.close();
  });

  it("says that the daemon is gone, and shows the one that comes back", async () => {
    const served = await serve();
    fillWithHistory(served, 4);
    const { page } = await open(served);
    await served.close();
    await page.getByText("Not reached").waitFor();
    const { port } = served;
    fillWithHistory(await serve({ address: { type: "tcp", host: "127.0.0.1", port } }), 12);
    await page.getByText("Ready", { exact: true }).waitFor();
    await page.locator("#held", { hasText: "6" }).waitFor();
    await page.close();
  });

  it("sorts and filters by keyboard alone, and shows all of a shard", async () => {
    const served = await serve();
    fillWithHistory(served, 12);
    const { page } = await open(served);
    await page.keyboard.press("/");
    await page.keyboard.type("restarting");
    await expect.poll(() => shownShards(page)).toEqual([idOf(3)]);
    expect(await page.locator("#shown").textContent()).toBe("1 of 12");
    await page.getByLabel("Filter by shard, owner, state or error").fill("");
    await page.getByRole("button", { name: "Records" }).focus();
    await page.keyboard.press("Enter");
    const head = page.getByRole("columnheader", { name: "Records" });
    expect(await head.getAttribute("aria-sort")).toBe("descending");
    expect((await shownShards(page)).slice(-1)).toEqual([idOf(10)]);
    await page.getByLabel("Which shards").selectOption("held");
    await expect.poll(async () => (await shownShards(page)).length).toBe(6);
    await page.getByRole("button", { name: idOf(3) }).focus();
    await page.keyboard.press("Enter");
    const dialog = page.getByRole("dialog", { name: idOf(3) });
    await dialog.getByText("ValueError: cat").first().waitFor();
    await picture(page, "one-shard");
    expect(await violations(page)).toEqual([]);
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "hidden" });
    await page.close();
  });

  it("tells in words what its pictures show", async () => {
    const served = await serve();
    fillWithHistory(served, 4);
    const { page } = await open(served);
    const lag = page.getByRole("img", {
      name: /^Lag in the last 15 minutes: now .+ at most 1\d s$/,
    });
    expect(await lag.count()).toBe(1);
    const tree = await page.locator("#tree li").allTextContents();
    expect(tree).toEqual([
      `${idOf(0)}: ended`,
      `${idOf(1)}: processing, from ${idOf(0)}`,
      `${idOf(3)}: restarting, from ${idOf(0)}`,
    ]);
    await page.close();
  });

  it("treats what a child writes as text", async () => {
    const served = await serve();
    fillWithHistory(served, 4);
    const line = "<img src=x onerror=document.title='owned'>";
    served.saw({ type: "childOutput", shardId: idOf(1), pid: 1, stream: "stderr", line });
    const { page } = await open(served);
    await page.getByRole("button", { name: idOf(1) }).click();
    await page.getByText(line).waitFor();
    expect(await page.title()).toBe("words · kinesis-multilang");
    await page.close();
  });
});
