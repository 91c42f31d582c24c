// The hash of a record's partition key, which selects its lane. It reads the key in the record's
// text (RecordBatch describes it) and skips the payload. A user record of a KPL aggregate has a key
// of its own by now.

const PAYLOAD_AT = '{"data":"'.length;
const FROM_PAYLOAD_TO_KEY = '","partitionKey":"'.length;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** FNV-1a. */
const OFFSET_BASIS = 0x811c9dc5;
const PRIME = 0x01000193;

/** @param start where the record's text starts in `json`. @returns 32 bits without a sign. */
export function keyHash(json: Buffer, start: number): number {
  const keyAt = json.indexOf(QUOTE, start + PAYLOAD_AT) + FROM_PAYLOAD_TO_KEY;
  let hash = OFFSET_BASIS;
  for (let at = keyAt; json[at] !== QUOTE; at += 1) {
    const byte = json[at] ?? 0;
    // One key may be escaped in several ways, and must have one hash.
    if (byte === BACKSLASH) return hashOfEscaped(json, keyAt);
    hash = Math.imul(hash ^ byte, PRIME);
  }
  return mixed(hash);
}

function hashOfEscaped(json: Buffer, keyAt: number): number {
  let end = keyAt;
  while (json[end] !== QUOTE) end += json[end] === BACKSLASH ? 2 : 1;
  const key = Buffer.from(JSON.parse(json.toString("utf8", keyAt - 1, end + 1)) as string);
  return mixed(key.reduce((hash, byte) => Math.imul(hash ^ byte, PRIME), OFFSET_BASIS));
}

/** Spreads the hash over all its bits: the low bits of FNV-1a alone are unevenly distributed. */
function mixed(hash: number): number {
  const first = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  const second = Math.imul(first ^ (first >>> 13), 0xc2b2ae35);
  return (second ^ (second >>> 16)) >>> 0;
}
