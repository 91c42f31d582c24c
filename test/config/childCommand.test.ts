import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseCommand } from "../../src/config/childCommand.ts";

describe("a command is split", () => {
  test.each([
    ["node app.js", ["node", "app.js"]],
    ["a  b   c ", ["a", "b", "c"]],
    ["node\tapp.js", ["node\tapp.js"]],
    ["~/x $VAR * ;", ["~/x", "$VAR", "*", ";"]],
    ['"my app" x', ["my app", "x"]],
    ["'C:\\my app\\x.exe' y", ["C:\\my app\\x.exe", "y"]],
    ['"say \\"hi\\" \\\\ \\n" x', ['say "hi" \\ \\n', "x"]],
    ["--name=\"a b\"'c d'e", ["--name=a bc de"]],
    ["x \"\" ''", ["x", "", ""]],
    ["C:\\bin\\x.exe y", ["C:\\bin\\x.exe", "y"]],
  ])("%j", (text, expected) => {
    const command = parseCommand(text);
    expect(typeof command === "string" ? command : [command.file, ...command.args]).toEqual(
      expected,
    );
  });

  test.each([
    ['a "b', 'the quote that begins at "b is not closed'],
    [
      "it's",
      `the quote that begins at 's is not closed; write a word with an apostrophe in double quotes: "it's"`,
    ],
    ['a "b\\"', 'the quote that begins at "b\\" is not closed'],
    ["  ", "names no program"],
    ["'' x", "names no program"],
  ])("%j is refused", (text, expected) => {
    expect(parseCommand(text)).toBe(expected);
  });

  test("a command without quotes is split exactly as in Java", () => {
    const text = fc.string({ unit: fc.constantFrom("a", " ", "\t", "\\", "=", "$") });
    fc.assert(
      fc.property(text, (rest) => {
        const command = parseCommand(`x${rest}`);
        const java = `x${rest}`.split(/ +/).filter(Boolean);
        expect(command).toEqual({ file: java[0], args: java.slice(1) });
      }),
    );
  });

  test("double quotes keep any word together", () => {
    const word = fc.string();
    fc.assert(
      fc.property(fc.array(word), (args) => {
        const quoted = args.map((arg) => `"${arg.replaceAll(/["\\]/g, "\\$&")}"`);
        expect(parseCommand(["x", ...quoted].join(" "))).toEqual({ file: "x", args });
      }),
    );
  });
});
