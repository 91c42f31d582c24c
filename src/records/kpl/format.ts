// The format of the Kinesis Producer Library (KPL): one Kinesis record, the aggregate, that carries
// many user records.
//
//   F3 89 9A C2          4 bytes, the magic number
//   AggregatedRecord     a Protocol Buffers message:
//     1 repeated string  partition_key_table
//     2 repeated string  explicit_hash_key_table     decimal numbers
//     3 repeated Record  records:
//       1 uint64         partition_key_index         required
//       2 uint64         explicit_hash_key_index
//       3 bytes          data                        required
//       4 repeated Tag   tags: 1 string key (required), 2 string value
//   MD5 of the message   16 bytes
//
// A payload that differs from this in any way is a plain record, also for the Java daemon.

export const MAGIC = Buffer.from([0xf3, 0x89, 0x9a, 0xc2]);
export const DIGEST_BYTES = 16;

/** Field numbers. */
export const AGGREGATE = { partitionKey: 1, explicitHashKey: 2, record: 3 } as const;
export const RECORD = { partitionKeyIndex: 1, explicitHashKeyIndex: 2, data: 3, tag: 4 } as const;
export const TAG = { key: 1 } as const;

/** Base64 characters of the smallest payload that may be an aggregate: more than 20 bytes. */
const LEAST_BASE64_CHARACTERS = 28;

/**
 * Whether base64 text begins with the magic number: `84maw`, and a sixth character whose upper two
 * bits are the last two of C2 (`g` to `v`).
 */
export function beginsWithMagic(base64: Buffer, start: number, length: number): boolean {
  if (base64[start] !== 0x38 || length < LEAST_BASE64_CHARACTERS) return false;
  if (base64[start + 1] !== 0x34 || base64[start + 2] !== 0x6d) return false;
  if (base64[start + 3] !== 0x61 || base64[start + 4] !== 0x77) return false;
  const sixth = base64[start + 5] ?? 0;
  return sixth >= 0x67 && sixth <= 0x76;
}
