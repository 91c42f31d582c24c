// Shards on the command line: by their id, or by their number alone.

const NUMBER_DIGITS = 12;

/** `0` and `shardId-0` are `shardId-000000000000`; anything else is taken as it stands. */
export function shardId(text: string): string {
  const number = /^(?:shardId-)?(\d+)$/.exec(text)?.[1];
  return number === undefined ? text : `shardId-${number.padStart(NUMBER_DIGITS, "0")}`;
}

/** For an option that may be repeated. */
export function collectShardIds(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, shardId(text)];
}
