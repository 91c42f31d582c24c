// Keeps records on disk from the moment they are taken until they are stored, so that a crash loses
// none. Records are appended to segments; one fsync covers all that came while the one before ran.
// A segment is removed when everything in it and before it is done. What is left at the start is
// put again.

import {
  type FileHandle,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  truncate,
  unlink,
} from "node:fs/promises";
import { join } from "node:path";
import type { Emit } from "../../events.ts";
import type { UserRecord } from "../record.ts";
import { dataOf, doneFrame, readFrames, type Taken, takenFrame } from "./frames.ts";
import { lock } from "./lock.ts";

const SEGMENT_BYTES = 64 * 1024 * 1024;
const SEGMENT = /^\d{12}\.spill$/;
const LOCK = "lock";

interface Segment {
  readonly file: string;
  /** Records in it that are not done. */
  undone: number;
  /** It is kept for inspection: what follows the damage cannot be read. */
  readonly isDamaged: boolean;
}

interface Waiting {
  readonly frame: Buffer;
  readonly segmentOf: (segment: Segment) => void;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** A record on disk. */
export interface OnDisk {
  /** A copy of the payload. */
  readonly data: Buffer;
  /** The record is stored, or given up and reported: it need not be put again. */
  readonly done: () => void;
}

export class Spill {
  readonly #folder: string;
  readonly #segments: Segment[] = [];
  #file: FileHandle | undefined;
  #fileBytes = 0;
  #nextNumber = 1;
  #nextSegment = 1;
  #waiting: Waiting[] = [];
  #doneNumbers: number[] = [];
  #writing: Promise<void> | undefined;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Opens a directory, which is created if it does not exist.
   *
   * @returns the records that were taken before and are not done, in order.
   * @throws UserError when another producer uses the directory.
   */
  static async open(
    folder: string,
    emit: Emit,
  ): Promise<{ readonly spill: Spill; readonly left: readonly (Taken & Pick<OnDisk, "done">)[] }> {
    await mkdir(folder, { recursive: true });
    await lock(join(folder, LOCK));
    const spill = new Spill(folder);
    return { spill, left: await spill.#recover(emit) };
  }

  /**
   * Resolves when the record is on disk. Records reach the disk in the order of the calls.
   *
   * @throws the system's error when the disk is full: the record is not taken.
   */
  async append(streamName: string, record: UserRecord): Promise<OnDisk> {
    const number = this.#nextNumber++;
    const frame = takenFrame({ number, streamName, record });
    let own: Segment | undefined;
    const written = new Promise<void>((resolve, reject) => {
      const segmentOf = (segment: Segment) => {
        own = segment;
      };
      this.#waiting.push({ frame, segmentOf, resolve, reject });
    });
    this.#write();
    await written;
    return { data: dataOf(frame, record), done: () => own && this.#done(number, own) };
  }

  /** Writes what is known to be done, and gives the directory up. */
  async close(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
    await this.#file?.close();
    await this.#removeDone(true);
    await unlink(join(this.#folder, LOCK)).catch(() => {});
  }

  #done(number: number, segment: Segment): void {
    segment.undone -= 1;
    this.#doneNumbers.push(number);
    this.#write();
  }

  #write(): void {
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
      if (this.#waiting.length > 0) this.#write();
    });
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0 || this.#doneNumbers.length > 0) {
      const [waiting, done] = [this.#waiting, this.#doneNumbers];
      this.#waiting = [];
      this.#doneNumbers = [];
      try {
        const frames = [...done.map(doneFrame), ...waiting.map(({ frame }) => frame)];
        const segment = await this.#appendToFile(Buffer.concat(frames), waiting.length > 0);
        segment.undone += waiting.length;
        for (const { segmentOf, resolve } of waiting) {
          segmentOf(segment);
          resolve();
        }
      } catch (error) {
        if (await this.#freed()) {
          this.#waiting.unshift(...waiting);
          continue;
        }
        for (const { reject } of waiting) reject(error);
        // They are written with the next record. Until then, a crash would put them again.
        this.#doneNumbers.unshift(...done);
        return;
      }
      await this.#removeDone(false);
    }
  }

  async #appendToFile(bytes: Buffer, sync: boolean): Promise<Segment> {
    if (this.#file === undefined || this.#fileBytes >= SEGMENT_BYTES) await this.#openSegment();
    const file = this.#file;
    const segment = this.#segments.at(-1);
    if (!file || !segment) throw new Error("There is no open segment.");
    try {
      for (let at = 0; at < bytes.length; ) {
        const position = this.#fileBytes + at;
        at += (await file.write(bytes, at, bytes.length - at, position)).bytesWritten;
      }
      if (sync) await file.datasync();
    } catch (error) {
      await file.truncate(this.#fileBytes).catch(() => {});
      throw error;
    }
    this.#fileBytes += bytes.length;
    return segment;
  }

  async #openSegment(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
    const name = `${String(this.#nextSegment).padStart(12, "0")}.spill`;
    this.#file = await open(join(this.#folder, name), "wx");
    // The file's name must be on disk, too.
    const folder = await open(this.#folder, "r");
    await folder.sync().finally(() => folder.close());
    this.#nextSegment += 1;
    this.#fileBytes = 0;
    this.#segments.push({ file: name, undone: 0, isDamaged: false });
  }

  /**
   * After a write that failed: removes everything, if all of it is done. Otherwise the spill's own
   * past would fill the disk for ever.
   *
   * @returns whether there is more room now.
   */
  async #freed(): Promise<boolean> {
    const isDone = this.#segments.every(({ undone }) => undone === 0);
    if (!isDone || (this.#fileBytes === 0 && this.#segments.length <= 1)) return false;
    await this.#file?.close();
    this.#file = undefined;
    this.#fileBytes = 0;
    await this.#removeDone(true);
    return true;
  }

  /** Removes segments from the oldest on: later ones say what is done in earlier ones. */
  async #removeDone(isClosing: boolean): Promise<void> {
    while (this.#segments[0]?.undone === 0 && (isClosing || this.#segments.length > 1)) {
      const [segment] = this.#segments.splice(0, 1);
      if (!segment) return;
      const path = join(this.#folder, segment.file);
      await (segment.isDamaged ? rename(path, `${path}.damaged`) : unlink(path)).catch(() => {});
    }
  }

  async #recover(emit: Emit): Promise<(Taken & Pick<OnDisk, "done">)[]> {
    const left = new Map<number, { readonly taken: Taken; readonly segment: Segment }>();
    const names = (await readdir(this.#folder)).filter((name) => SEGMENT.test(name)).sort();
    const last = names.at(-1);
    for (const name of names) {
      const path = join(this.#folder, name);
      const bytes = await readFile(path);
      const { frames, end } = readFrames(bytes);
      const isWhole = end === bytes.length;
      const segment = { file: name, undone: 0, isDamaged: !isWhole && name !== last };
      this.#segments.push(segment);
      for (const frame of frames) {
        this.#nextNumber = Math.max(this.#nextNumber, frame.number + 1);
        if (frame.kind === "taken") {
          segment.undone += 1;
          left.set(frame.number, { taken: frame, segment });
        } else {
          const done = left.get(frame.number);
          if (done) done.segment.undone -= 1;
          left.delete(frame.number);
        }
      }
      if (!isWhole) emit({ type: "spillTornTail", file: path, bytes: bytes.length - end });
      // What was being written at the crash was never acknowledged.
      if (!isWhole && name === last) await truncate(path, end);
      this.#nextSegment = Number.parseInt(name, 10) + 1;
    }
    if (left.size > 0) emit({ type: "spillRecovered", records: left.size });
    return [...left.values()].map(({ taken, segment }) => ({
      ...taken,
      done: () => this.#done(taken.number, segment),
    }));
  }
}
