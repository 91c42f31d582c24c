// The Rust producer: its sample program, and its API over pipes and a Unix socket.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "vitest";
import { inPackage } from "../../src/package.ts";
import { expectWholeApi, testProducerClient } from "../support/producerClient.ts";
import { needLanguage, runCommand, TOOLS_CACHE } from "../support/toolchains.ts";

testProducerClient("rust");

it.for(["pipe", "socket"] as const)(
  "does all that it offers over a %s",
  { timeout: 180_000 },
  async (connection, test) => {
    await needLanguage(test, "rust");
    const folder = join(TOOLS_CACHE, "producer-api-rust");
    await mkdir(folder, { recursive: true });
    const source = join(import.meta.dirname, "producers", "api.rs");
    const manifest = [
      "[package]",
      'name = "api"',
      'edition = "2021"',
      "[dependencies]",
      `kinesis-multilang-client = { path = ${JSON.stringify(inPackage("clients", "rust"))} }`,
      "[[bin]]",
      'name = "api"',
      `path = ${JSON.stringify(source)}`,
      "[workspace]",
    ];
    await writeFile(join(folder, "Cargo.toml"), `${manifest.join("\n")}\n`);
    const file = join(folder, "Cargo.toml");
    const env = { CARGO_TARGET_DIR: join(TOOLS_CACHE, "rust-tests") };
    const build = ["cargo", "build", "--offline", "--quiet", "--manifest-path", file] as const;
    await runCommand(build, { cwd: ".", env });
    await expectWholeApi([join(env.CARGO_TARGET_DIR, "debug", "api")], connection);
  },
);
