// Replaces the data of a transcript's records: a processor may reject a payload that it does not know.

/** What takes the place of a record's data; both are base64. */
export type Payload = (data: string) => string;

/** A JSON object that holds the transcript's data as text, and so keeps its size and its bytes. */
export const jsonPayload: Payload = (data) => {
  const text = Buffer.from(data, "base64").toString("latin1");
  return Buffer.from(JSON.stringify({ text })).toString("base64");
};

/** These one after the other, and again from the first. */
export function payloadsInTurn(all: readonly string[]): Payload {
  let next = 0;
  return (data) => all[next++ % all.length] ?? data;
}

/** A line of the daemon in which every record has other data; every other character stays. */
export function withPayload(line: string, payload: Payload): string {
  // A quote inside of a string is escaped, so that only a key can look like this.
  return line.replace(/("data":")([^"\\]*)"/g, (_, key: string, data: string) => {
    return `${key}${payload(data)}"`;
  });
}
