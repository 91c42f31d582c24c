// The minimum for reading batches in Node, without a client: its own lines, JSON and base64. It
// answers every message, and cannot do anything else.

import { createInterface } from "node:readline";

createInterface({ input: process.stdin }).on("line", (line) => {
  const { action, records = [] } = JSON.parse(line);
  for (const record of records) Buffer.from(record.data, "base64");
  process.stdout.write(`${JSON.stringify({ action: "status", responseFor: action })}\n`);
});
