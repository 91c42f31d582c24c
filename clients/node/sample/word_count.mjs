// Counts words: each record is one UTF-8 word. The sample stores a shard's counts before each
// checkpoint, so a restart continues from counts that match the checkpoint. If the process dies
// between the two, it counts the words since the last checkpoint twice.

import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CheckpointError, kcl } from "../kcl.mjs";

const CHECKPOINT_EVERY_MS = 1000;
const directory = process.env.WORD_COUNT_DIR;

class WordCount {
  #shardId = "";
  #counts = new Map();
  #nextCheckpoint = 0;

  async initialize({ shardId, sequenceNumber }) {
    this.#shardId = shardId;
    // Without a checkpoint all records arrive again, so counting starts at zero.
    if (directory && /^\d+$/.test(sequenceNumber ?? "")) {
      this.#counts = new Map(Object.entries(await readCounts(this.#file)));
    }
  }

  async processRecords({ records, checkpointer }) {
    for (const record of records) {
      const word = Buffer.from(record.data, "base64").toString("utf8");
      this.#counts.set(word, (this.#counts.get(word) ?? 0) + 1);
    }
    if (performance.now() < this.#nextCheckpoint) return;
    await this.#checkpoint(checkpointer);
    this.#nextCheckpoint = performance.now() + CHECKPOINT_EVERY_MS;
  }

  leaseLost() {
    this.#report();
  }

  async shardEnded({ checkpointer }) {
    await this.#checkpoint(checkpointer);
    this.#report();
  }

  async shutdownRequested({ checkpointer }) {
    await this.#checkpoint(checkpointer);
  }

  async #checkpoint(checkpointer) {
    if (directory) {
      const next = `${this.#file}.${process.pid}.tmp`;
      await writeFile(next, JSON.stringify(Object.fromEntries(this.#counts)));
      await rename(next, this.#file);
    }
    try {
      await checkpointer.checkpoint();
    } catch (error) {
      // Another worker holds the shard now; leaseLost follows.
      if (!(error instanceof CheckpointError) || error.value !== "ShutdownException") throw error;
    }
  }

  get #file() {
    return join(directory ?? ".", `${this.#shardId}.json`);
  }

  #report() {
    if (directory) return;
    const counts = JSON.stringify(Object.fromEntries(this.#counts));
    console.error(`${this.#shardId}: ${counts}`);
  }
}

async function readCounts(file) {
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    if (error.code === "ENOENT") return {};
    throw error;
  }
}

await kcl(new WordCount()).run();
