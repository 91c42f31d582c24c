// The systemd unit, as systemd itself reads it.

import { copyFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { expect, it, type TestContext } from "vitest";
import { temporaryFolder } from "../support/daemon.ts";

const NAME = "kinesis-multilang@.service";
const UNIT = join(import.meta.dirname, "../../docs/operating", NAME);

async function verify(file: string) {
  return execa("systemd-analyze", ["verify", "--man=no", "--recursive-errors=no", file], {
    reject: false,
    all: true,
  });
}

async function needSystemd(context: TestContext): Promise<void> {
  const { exitCode } = await execa("systemd-analyze", ["--version"], { reject: false });
  if (exitCode !== 0) context.skip("systemd-analyze is not installed (systemd in Debian)");
}

it("is accepted by systemd without a warning", async (context) => {
  await needSystemd(context);
  const file = join(await temporaryFolder(), "kinesis-multilang@words.service");
  await copyFile(UNIT, file);
  const { exitCode, all } = await verify(file);
  expect([exitCode, all]).toEqual([0, ""]);
});

it("would not be accepted with a setting that systemd does not know", async (context) => {
  await needSystemd(context);
  const file = join(await temporaryFolder(), "kinesis-multilang@words.service");
  await writeFile(file, (await readFile(UNIT, "utf8")).replace("KillMode=", "KillModus="));
  expect((await verify(file)).all).toContain("KillModus");
});

it("sends SIGTERM to the daemon alone, and kills what is left", async () => {
  const lines = (await readFile(UNIT, "utf8")).split("\n");
  expect(lines).toContain("KillMode=mixed");
  expect(lines).toContain("KillSignal=SIGTERM");
});
