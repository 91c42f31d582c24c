import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkExecutable } from "../../src/config/executable.ts";

let cwd = "";
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), "executable-"));
  mkdirSync(join(cwd, "bin", "folder"), { recursive: true });
  mkdirSync(join(cwd, "other"));
  script("bin/fine", "#!/bin/sh\n");
  script("bin/by-env", "#!/usr/bin/env fine\n");
  script("bin/by-missing-env", "#!/usr/bin/env python99\n");
  script("bin/by-missing", "#!/nowhere/ruby -w\n");
  script("bin/from-windows", "#!/bin/sh\r\n");
  script("bin/binary", "\u007fELF");
  script("bin/plain", "#!/bin/sh\n", 0o644);
  script("bin/both", "#!/bin/sh\n", 0o644);
  script("other/both", "#!/bin/sh\n");
});
afterAll(() => rmSync(cwd, { recursive: true }));

function script(name: string, text: string, mode = 0o755): void {
  writeFileSync(join(cwd, name), text);
  chmodSync(join(cwd, name), mode);
}

const check = (file: string, path = `${cwd}/bin:${cwd}/other`) =>
  checkExecutable({ file, args: [] }, { path, cwd });

describe("a program is found", () => {
  test.each([
    ["on PATH", "fine", "bin/fine"],
    ["by a path from the working directory", "bin/fine", "bin/fine"],
    ["as a binary", "binary", "bin/binary"],
    ["with an interpreter that env finds on PATH", "by-env", "bin/by-env"],
    ["behind one of the same name that is not executable", "both", "other/both"],
  ])("%s", (_, file, found) => {
    expect(check(file)).toBe(join(cwd, found));
  });

  test("by its absolute path, whatever PATH is", () => {
    expect(check(join(cwd, "bin/fine"), "")).toBe(join(cwd, "bin/fine"));
  });

  test("on the PATH of this process by default", () => {
    expect(checkExecutable({ file: "sh", args: [] })).toMatch(/\/sh$/);
  });
});

describe("a program is refused, with what was searched and where", () => {
  test.each([
    ["python99", "cannot start python99: not found on PATH ("],
    ["./python99", "/python99 does not exist (relative to the working directory "],
    ["/nowhere/python99", "/nowhere/python99 does not exist"],
    ["plain", "bin/plain is not executable: run chmod +x on it"],
    ["bin/plain", "bin/plain is not executable"],
    ["folder", "bin/folder is a directory"],
    ["by-missing-env", "by-missing-env: its first line names python99, which is not installed"],
    ["by-missing", "its first line names /nowhere/ruby, which is not installed"],
    ["from-windows", "its first line ends with CR LF"],
  ])("%s", (file, message) => {
    expect(() => check(file)).toThrow(message);
    expect(() => check(file)).toThrow(/^executableName: cannot start /);
  });
});

test("on Windows the extensions of PATHEXT are added", () => {
  script("bin/tool.CMD", "");
  const places = { path: join(cwd, "bin"), cwd, platform: "win32", pathExt: ".EXE;.CMD" } as const;
  expect(checkExecutable({ file: "tool", args: [] }, places)).toBe(join(cwd, "bin/tool.CMD"));
});
