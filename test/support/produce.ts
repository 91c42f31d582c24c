// `kinesis-multilang produce` as a process, and conversations with it by its protocol.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { onTestFinished } from "vitest";
import { producerMessage } from "../../src/producer/protocol/messages.ts";
import { MAIN } from "./daemon.ts";

export const ENVIRONMENT = {
  PATH: process.env["PATH"],
  AWS_ACCESS_KEY_ID: "local",
  AWS_SECRET_ACCESS_KEY: "local",
};

/** Starts a producer. @param shell what runs before it, in the same process. */
export function produce(args: readonly string[], shell?: string) {
  const command = [process.execPath, MAIN, "produce", ...args];
  const [program = "", ...rest] =
    shell === undefined ? command : ["bash", "-c", `${shell}; exec "$@"`, "bash", ...command];
  const child = spawn(program, rest, { env: ENVIRONMENT });
  onTestFinished(() => void child.kill("SIGKILL"));
  const stdout: string[] = [];
  const stderr: string[] = [];
  child.stdout.setEncoding("utf8").on("data", (text: string) => stdout.push(text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => stderr.push(text));
  const ended = once(child, "close").then(([code]) => ({
    code: code as number | null,
    stdout: stdout.join(""),
    stderr: stderr.join(""),
  }));
  const logged = async (pattern: RegExp) => {
    for (;;) {
      const found = pattern.exec(stderr.join(""));
      if (found) return found;
      await once(child.stderr, "data");
    }
  };
  return { child, ended, logged };
}

/** Gives the lines to the producer, ends its input, and returns what it answered. */
export async function talk(
  url: string,
  lines: readonly (string | Buffer)[],
  ...more: readonly string[]
) {
  const { child, ended } = produce(["--protocol", "-s", "words", "--endpoint", url, ...more]);
  for (const line of lines) child.stdin.write(line);
  child.stdin.end();
  const { code, stdout, stderr } = await ended;
  const messages = stdout
    .split("\n")
    .filter(Boolean)
    .map((line) => producerMessage.parse(JSON.parse(line)));
  return { code, messages, stderr };
}

export const putLine = (fields: object) => `${JSON.stringify({ action: "put", ...fields })}\n`;
