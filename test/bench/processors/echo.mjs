// The echo processor on our Node client. It decodes each record's data. ../go/echochild/main.go
// describes its notes.

import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { kcl } from "../../../clients/node/kcl.mjs";

const file = join(process.env.BENCH_NOTES, String(process.pid));

function note(word, ...numbers) {
  const micros = Math.round((performance.timeOrigin + performance.now()) * 1000);
  appendFileSync(file, `${[word, `${micros}000`, ...numbers].join(" ")}\n`);
}

note("start");
await kcl({
  initialize: () => note("init"),
  processRecords({ records }) {
    let bytes = 0;
    for (const record of records) bytes += Buffer.from(record.data, "base64").length;
    note("batch", records.length, bytes);
  },
  leaseLost() {},
  shardEnded: ({ checkpointer }) => checkpointer.checkpoint(),
  shutdownRequested: ({ checkpointer }) => checkpointer.checkpoint(),
}).run();
