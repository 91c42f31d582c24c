// Replaces the data of a transcript's records, because a processor may reject a payload that it
// does not expect.

/** Replaces the data of a record; both are base64. */
export type Payload = (data: string) => string;

/** A JSON object that contains the transcript's data as text, so that its bytes are kept. */
export const jsonPayload: Payload = (data) => {
  const text = Buffer.from(data, "base64").toString("latin1");
  return Buffer.from(JSON.stringify({ text })).toString("base64");
};

/** The given payloads in turn, and then again from the first. */
export function payloadsInTurn(all: readonly string[]): Payload {
  let next = 0;
  return (data) => all[next++ % all.length] ?? data;
}

/** A line of the daemon in which the data of every record is replaced, and nothing else. */
export function withPayload(line: string, payload: Payload): string {
  // A quote inside a string is escaped, so this pattern matches only a key.
  return line.replace(/("data":")([^"\\]*)"/g, (_, key: string, data: string) => {
    return `${key}${payload(data)}"`;
  });
}
