// The program that puts the words with a language's producer client. It reads one record per line,
// and answers each with a line, in the same order.

import { once } from "node:events";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { execa } from "execa";
import split2 from "split2";
import type { Command } from "../local/languages.ts";
import { UserError } from "../model/errors.ts";
import { inPackage } from "../package.ts";

interface ProgramOptions {
  /** The folder of this run, which receives the command that the client starts. */
  readonly folder: string;
  readonly executable: Command;
  /** Options of the producer. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly onLine: (line: string) => void;
}

interface TextRecord {
  readonly data: Buffer;
  readonly partitionKey: string;
}

export interface ProducerProgram {
  /** @returns whether each record is stored, in the order of the records. */
  put(records: readonly TextRecord[]): Promise<readonly boolean[]>;
  /** Ends its input, and waits for its end. */
  close(): Promise<void>;
}

export async function startProducerProgram(options: ProgramOptions): Promise<ProducerProgram> {
  const { folder, args, env, onLine } = options;
  const [program, ...before] = options.executable;
  const child = execa(program, [...before, ...args], {
    env: { ...env, PATH: await pathWithCommand(folder), KINESIS_MULTILANG_PRODUCER: "" },
    // Ctrl-C reaches only the sample, which then closes the program.
    detached: true,
    buffer: false,
    reject: false,
  });
  const waiting: { resolve(stored: boolean): void; reject(error: Error): void }[] = [];
  child.stdout
    .pipe(split2())
    .on("data", (line: string) => waiting.shift()?.resolve(line.startsWith("stored ")));
  const log = child.stderr.pipe(split2()).on("data", onLine);
  child.stdin.on("error", () => {});
  let failure: Error | undefined;
  const ended = Promise.all([child, once(log, "close")]).then(([{ exitCode, shortMessage }]) => {
    const why = shortMessage ?? `It ended with exit code ${exitCode}.`;
    failure = new UserError(`The program that puts the words has ended. ${why}`);
    for (const { reject } of waiting.splice(0)) reject(failure);
  });
  const put = ({ partitionKey, data }: TextRecord) =>
    new Promise<boolean>((resolve, reject) => {
      if (failure) return reject(failure);
      waiting.push({ resolve, reject });
      child.stdin.write(`${partitionKey}\t${data}\n`);
    });
  return {
    put: (records) => Promise.all(records.map(put)),
    close: async () => {
      child.stdin.end();
      await ended;
    },
  };
}

/** A search path with `kinesis-multilang`, which a client starts, as if it were installed. */
async function pathWithCommand(folder: string): Promise<string> {
  const bin = join(folder, "bin");
  await mkdir(bin);
  const command = [process.execPath, inPackage("dist/main.js")].map(
    (word) => `'${word.replaceAll("'", "'\\''")}'`,
  );
  const file = join(bin, "kinesis-multilang");
  await writeFile(file, `#!/bin/sh\nexec ${command.join(" ")} "$@"\n`);
  await chmod(file, 0o755);
  return `${bin}${delimiter}${process.env["PATH"] ?? ""}`;
}
