// Numbers with their nouns, in one place, so that no message contains "1 shards".

/** `1 lease`, `2 leases`. */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : plural}`;
}
