// MD5 of short keys. Calling the runtime's hash costs several times as much as hashing a few bytes
// here, and in a stream with more than one shard every key of an aggregate is hashed.

/** A key of this length fits into one block of MD5. */
export const SHORT_KEY_BYTES = 55;

const ROTATIONS = [
  [7, 12, 17, 22],
  [5, 9, 14, 20],
  [4, 11, 16, 23],
  [6, 10, 15, 21],
].flatMap((round) => [...round, ...round, ...round, ...round]);
/** The word of the block that each step adds. */
const WORDS = Uint8Array.from({ length: 64 }, (_, step) => {
  const [factor, offset] = (
    [
      [1, 0],
      [5, 1],
      [3, 5],
      [7, 0],
    ] as const
  )[step >> 4] ?? [1, 0];
  return (factor * step + offset) & 15;
});
const ROTATE = Uint8Array.from(ROTATIONS);
const SINES = Int32Array.from(
  { length: 64 },
  (_, step) => Math.floor(Math.abs(Math.sin(step + 1)) * 2 ** 32) | 0,
);

const block = new DataView(new ArrayBuffer(64));

/**
 * Writes the digest of the bytes from `start` to `end` into `digest`: four words, the most
 * significant first, so that comparing word by word compares digests as numbers.
 *
 * @param end at most `SHORT_KEY_BYTES` after `start`.
 */
export function md5Words(bytes: Buffer, start: number, end: number, digest: Uint32Array): void {
  const length = end - start;
  for (let at = 0; at < 64; at += 4) block.setInt32(at, 0);
  for (let at = 0; at < length; at += 1) block.setUint8(at, bytes[start + at] ?? 0);
  block.setUint8(length, 0x80);
  block.setInt32(56, length * 8, true);
  let a = 0x67452301;
  let b = 0xefcdab89 | 0;
  let c = 0x98badcfe | 0;
  let d = 0x10325476;
  for (let step = 0; step < 64; step += 1) {
    const mixed =
      step < 16
        ? (b & c) | (~b & d)
        : step < 32
          ? (d & b) | (~d & c)
          : step < 48
            ? b ^ c ^ d
            : c ^ (b | ~d);
    const word = block.getInt32((WORDS[step] ?? 0) * 4, true);
    const sum = (a + mixed + (SINES[step] ?? 0) + word) | 0;
    const rotate = ROTATE[step] ?? 0;
    a = d;
    d = c;
    c = b;
    b = (b + ((sum << rotate) | (sum >>> (32 - rotate)))) | 0;
  }
  digest[0] = swapped((a + 0x67452301) | 0);
  digest[1] = swapped((b + 0xefcdab89) | 0);
  digest[2] = swapped((c + 0x98badcfe) | 0);
  digest[3] = swapped((d + 0x10325476) | 0);
}

function swapped(word: number): number {
  return (
    ((word & 0xff) << 24) |
    ((word & 0xff00) << 8) |
    ((word >>> 8) & 0xff00) |
    ((word >>> 24) & 0xff)
  );
}
