// Removes private data from a conversation, so that it can be shared and still be played. Payloads
// keep their lengths, and equal partition keys stay equal.

/** Replaces the data of one conversation, whose partition keys it numbers. */
export class Redactor {
  readonly #keys = new Map<string, string>();

  /** A line from the daemon. */
  daemon(line: string): string {
    if (!line.includes('"processRecords"')) return line;
    const message = JSON.parse(line) as {
      records: { data: string | null; partitionKey: string | null }[];
    };
    const records = message.records.map((record) => ({
      ...record,
      data: record.data === null ? null : redactedData(record.data),
      partitionKey: record.partitionKey === null ? null : this.#key(record.partitionKey),
    }));
    return JSON.stringify({ ...message, records });
  }

  /** A line from the child. Its messages contain no payload, but other lines may. */
  child(line: string): string {
    try {
      const message = JSON.parse(line) as { action?: unknown; message?: unknown };
      if (message.action === "status" || message.action === "checkpoint") return line;
      if (message.action === "log") return JSON.stringify({ ...message, message: "(redacted)" });
    } catch {
      // The line is not a message.
    }
    return `(${line.length} characters, redacted)`;
  }

  #key(key: string): string {
    const known = this.#keys.get(key);
    if (known !== undefined) return known;
    const made = `key-${this.#keys.size + 1}`;
    this.#keys.set(key, made);
    return made;
  }
}

/** The base64 of the same number of bytes, each an `x`. */
function redactedData(data: string): string {
  return Buffer.alloc(Buffer.byteLength(data, "base64"), "x").toString("base64");
}
