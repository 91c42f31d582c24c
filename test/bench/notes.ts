// Reads the record processors' notes while they are being written. go/echochild/main.go describes
// the format.

import { closeSync, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";

export type Note =
  /** All times are milliseconds since 1970, with fractions. */
  | { readonly what: "start"; readonly atMs: number }
  | { readonly what: "init"; readonly pid: number; readonly atMs: number }
  | {
      readonly what: "batch";
      readonly atMs: number;
      readonly records: number;
      readonly bytes: number;
    }
  | {
      readonly what: "upto";
      readonly pid: number;
      readonly atMs: number;
      readonly arrivedMs: number;
    }
  | { readonly what: "age"; readonly atMs: number; readonly ageMs: number };

const NANOS_PER_MS = 1e6;
const CHUNK_BYTES = 64 * 1024;

export class Notes {
  readonly all: Note[] = [];
  readonly #folder: string;
  readonly #open = new Map<string, { fd: number; rest: string }>();
  readonly #buffer = Buffer.alloc(CHUNK_BYTES);

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The processors that have been started. Each writes its own file. */
  get pids(): ReadonlySet<number> {
    return new Set([...this.#open.keys()].map(Number));
  }

  /** Reads on and returns the new notes. */
  poll(): readonly Note[] {
    const before = this.all.length;
    for (const name of readdirSync(this.#folder)) {
      const file = this.#open.get(name) ?? {
        fd: openSync(join(this.#folder, name), "r"),
        rest: "",
      };
      this.#open.set(name, file);
      for (let length = this.#read(file.fd); length > 0; length = this.#read(file.fd)) {
        const lines = (file.rest + this.#buffer.toString("latin1", 0, length)).split("\n");
        file.rest = lines.pop() ?? "";
        for (const line of lines) this.all.push(parseNote(line, Number(name)));
      }
    }
    return this.all.slice(before);
  }

  of<What extends Note["what"]>(what: What): readonly Extract<Note, { what: What }>[] {
    return this.all.filter((note): note is Extract<Note, { what: What }> => note.what === what);
  }

  close(): void {
    for (const { fd } of this.#open.values()) closeSync(fd);
    this.#open.clear();
  }

  #read(fd: number): number {
    return readSync(fd, this.#buffer, 0, CHUNK_BYTES, null);
  }
}

function parseNote(line: string, pid: number): Note {
  const [what, at, first = "", second = ""] = line.split(" ");
  const atMs = Number(at) / NANOS_PER_MS;
  switch (what) {
    case "start":
      return { what, atMs };
    case "init":
      return { what, pid, atMs };
    case "batch":
      return { what, atMs, records: Number(first), bytes: Number(second) };
    case "upto":
      return { what, pid, atMs, arrivedMs: Number(first) / NANOS_PER_MS };
    case "age":
      return { what, atMs, ageMs: Number(first) / NANOS_PER_MS };
    default:
      throw new Error(`a record processor wrote an invalid note: ${line}`);
  }
}
