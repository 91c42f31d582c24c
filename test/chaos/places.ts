// Positions in a shard, as the checker writes them: `4959…#3`, `TRIM_HORIZON#0`, `SHARD_END#0`.

/** Keywords sort before every number, except for SHARD_END. */
export function isBefore(a: string, b: string): boolean {
  const [[first, firstSub], [second, secondSub]] = [parse(a), parse(b)];
  return first === second ? firstSub < secondSub : first < second;
}

function parse(text: string): readonly [sequenceNumber: bigint, subSequenceNumber: number] {
  const [number = "", sub = "0"] = text.split("#");
  const value = number === "SHARD_END" ? END : /^\d+$/.test(number) ? BigInt(number) : -1n;
  return [value, Number(sub)];
}

const END = 10n ** 200n;
