// Shards on the command line: users name a shard by its id, or only by its number.

const NUMBER_DIGITS = 12;

/** `0` and `shardId-0` mean `shardId-000000000000`. Any other text stays as it is. */
export function shardId(text: string): string {
  const number = /^(?:shardId-)?(\d+)$/.exec(text)?.[1];
  return number === undefined ? text : `shardId-${number.padStart(NUMBER_DIGITS, "0")}`;
}

/** For an option that may be repeated. */
export function collectShardIds(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, shardId(text)];
}
