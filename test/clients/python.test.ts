import { join } from "node:path";
import { execa } from "execa";
import { expect, it } from "vitest";
import { pythonOrReason } from "../support/python.ts";

it("the Python client passes its own tests", async (ctx) => {
  const python = await pythonOrReason();
  if ("missing" in python) return ctx.skip(python.missing);
  const cwd = join(import.meta.dirname, "../../clients/python");
  const ended = await execa(python.command, ["-W", "error::DeprecationWarning", "-m", "unittest"], {
    cwd,
    reject: false,
    all: true,
    // No __pycache__ in what is going to be packed.
    env: { PYTHONDONTWRITEBYTECODE: "1" },
  });
  expect(ended.exitCode, ended.all).toBe(0);
  expect(Number(/Ran (\d+) tests/.exec(ended.all)?.[1])).toBeGreaterThan(10);
});
