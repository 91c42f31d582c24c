// A sink that appends items to a file, one a line.

import { AppendedFile } from "./appendedFile.ts";
import type { Format, Sink } from "./sink.ts";

export class FileSink<T> implements Sink<T> {
  readonly #file: AppendedFile;
  readonly #format: Format<T>;

  /** @throws UserError when the file cannot be written. */
  static async open<T>(path: string, format: Format<T>): Promise<FileSink<T>> {
    const file = new AppendedFile(path);
    await file.check();
    return new FileSink(file, format);
  }

  private constructor(file: AppendedFile, format: Format<T>) {
    this.#file = file;
    this.#format = format;
  }

  async send(items: readonly T[]): Promise<void> {
    const text = items.map((item) => `${this.#format.text(item)}\n`).join("");
    await this.#file.append(Buffer.from(text));
  }

  close(): void {}
}
