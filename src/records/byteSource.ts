// Bytes of UTF-8 text that are compared and copied in words: for the short pieces of a record this is several times
// faster than byte by byte, and faster than a call out of JavaScript.

/** From here on a copy by the runtime is faster. */
const LONG_COPY_BYTES = 512;

export class ByteSource {
  readonly bytes: Buffer;
  readonly view: DataView;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** Copies `start` to `end` into another at `to`, where there is room; returns where the copy ends. */
  copy(start: number, end: number, target: ByteSource, to: number): number {
    const length = end - start;
    if (length < 4) {
      for (let at = 0; at < length; at += 1) target.bytes[to + at] = this.bytes[start + at] ?? 0;
    } else if (length <= LONG_COPY_BYTES) {
      const { view } = this;
      const { view: out } = target;
      const last = length - 4;
      for (let at = 0; at < last; at += 4) {
        out.setInt32(to + at, view.getInt32(start + at, true), true);
      }
      // The last word may overlap the one before.
      out.setInt32(to + last, view.getInt32(start + last, true), true);
    } else {
      this.bytes.copy(target.bytes, to, start, end);
    }
    return to + length;
  }

  /** Whether the bytes at a place are those of another, which has at least four. */
  matches(at: number, other: ByteSource): boolean {
    const { view: wanted } = other;
    const last = wanted.byteLength - 4;
    const { view } = this;
    if (at + last + 4 > view.byteLength) return false;
    for (let word = 0; word < last; word += 4) {
      if (view.getInt32(at + word, true) !== wanted.getInt32(word, true)) return false;
    }
    return view.getInt32(at + last, true) === wanted.getInt32(last, true);
  }

  /** Whether there are decimal digits, and only these, from `start` to `end`. */
  areDigits(start: number, end: number): boolean {
    const { view } = this;
    let at = start;
    for (; at + 4 <= end; at += 4) {
      const word = view.getInt32(at, true);
      // Each byte is 3x, and stays so when 6 is added: 30 to 39.
      if ((word & HIGH_HALVES) !== THREES) return false;
      if (((word + SIXES) & HIGH_HALVES) !== THREES) return false;
    }
    for (; at < end; at += 1) {
      const byte = this.bytes[at] ?? 0;
      if (byte < 0x30 || byte > 0x39) return false;
    }
    return end > start;
  }
}

const HIGH_HALVES = 0xf0f0f0f0 | 0;
const THREES = 0x30303030;
const SIXES = 0x06060606;

export function sourceOf(text: string): ByteSource {
  return new ByteSource(Buffer.from(text));
}
