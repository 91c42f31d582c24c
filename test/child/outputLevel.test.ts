// Lines as the loggers of several languages write them, with the level that the log gives them.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { OutputLevels } from "../../src/child/process/outputLevel.ts";

const level = (line: string) => new OutputLevels().next(line);

describe("the level of a line on STDERR", () => {
  test.each([
    ["Python", "WARNING:root:disk is nearly full", "warn"],
    ["Python", "CRITICAL:app:gone", "error"],
    ["Python with a time", "2026-11-28 12:00:00,123 - app.words - DEBUG - got 3 records", "debug"],
    ["Python in brackets", "[2026-11-28 12:00:00 +0000] [42] [ERROR] Worker failed", "error"],
    ["log4j", "2026-11-28 12:00:00,123 [main] WARN  c.example.Words - slow", "warn"],
    ["logback", "12:00:00.123 [pool-1-thread-3] ERROR c.example.Words -- failed", "error"],
    ["Ruby", "E, [2026-11-28T12:00:00.123456 #42] ERROR -- : failed", "error"],
    ["Go slog", 'time=2026-11-28T12:00:00Z level=WARN msg="slow"', "warn"],
    [".NET", "fail: Words.Processor[0]", "error"],
    ["a level in brackets", "[ERROR] no such table", "error"],
    ["a bare level", "ERROR no such table", "error"],
    ["a JSON object", '{"time":"x","level":"warning","msg":"slow"}', "warn"],
    ["Google's JSON", '{"severity":"CRITICAL","message":"gone"}', "error"],
    ["pino", '{"level":20,"time":1,"msg":"got 3 records"}', "debug"],
    ["a Java crash", 'Exception in thread "main" java.lang.OutOfMemoryError', "error"],
    ["a Node error", "TypeError: x is not a function", "error"],
    ["a Go panic", "panic: runtime error: index out of range", "error"],
    ["no level", "cat", "info"],
    ["a word that is no level", "[main] starting", "info"],
    ["the word inside a sentence", "found 3 ERROR lines in the input", "info"],
    ["an unknown JSON object", '{"a":1}', "info"],
    ["JSON that is cut", '{"level":"error","msg":"abc', "info"],
  ])("of %s: %s", (_, line, expected) => {
    expect(level(line)).toBe(expected);
  });

  test.each([
    [
      "Python",
      [
        "ERROR:app:failed",
        "Traceback (most recent call last):",
        '  File "words.py", line 3, in <module>',
        "    count(record)",
        "ValueError: no such word",
        "",
        "During handling of the above exception, another exception occurred:",
      ],
    ],
    [
      "Java",
      [
        "12:00:00.123 [main] ERROR c.example.Words -- failed",
        "java.lang.IllegalStateException: no such word",
        "\tat c.example.Words.count(Words.java:3)",
        "\t... 12 more",
        "Caused by: java.io.IOException: closed",
        "\tat c.example.Words.read(Words.java:9)",
      ],
    ],
    ["Node", ["Error: no such word", "    at count (words.js:3:9)", "    at node:internal/x:1:1"]],
  ])("keeps a stack trace of %s together", (_, lines) => {
    const levels = new OutputLevels();
    expect(lines.map((line) => levels.next(line))).toEqual(lines.map(() => "error"));
    expect(levels.next("cat")).toBe("info");
  });

  test("is found for any text, however strange", () => {
    const levels = new OutputLevels();
    const known = ["trace", "debug", "info", "warn", "error"];
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.json()), (line) => {
        expect(known).toContain(levels.next(line));
      }),
    );
  });
});
