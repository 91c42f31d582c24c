#!/usr/bin/env python3
"""Counts words: each record is one UTF-8 word.

The sample stores a shard's counts before each checkpoint, so a restart continues from counts that
match the checkpoint. If the process dies between the two, it counts the words since the last
checkpoint twice.
"""

import json
import os
import sys
import time
from collections import Counter

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from kinesis_multilang import CheckpointError, KCLProcess, RecordProcessorBase  # noqa: E402

CHECKPOINT_EVERY_SECONDS = 1.0
DIRECTORY = os.environ.get("WORD_COUNT_DIR")


class WordCount(RecordProcessorBase):
    def __init__(self):
        self.shard_id = ""
        self.counts = Counter()
        self.next_checkpoint = 0.0

    def initialize(self, initialize_input):
        self.shard_id = initialize_input.shard_id
        # Without a checkpoint all records arrive again, so counting starts at zero.
        if DIRECTORY and (initialize_input.sequence_number or "").isdigit():
            self.counts = read_counts(self.file)

    def process_records(self, process_records_input):
        self.counts.update(
            record.binary_data.decode("utf-8", "replace")
            for record in process_records_input.records
        )
        if time.monotonic() >= self.next_checkpoint:
            self.checkpoint(process_records_input.checkpointer)
            self.next_checkpoint = time.monotonic() + CHECKPOINT_EVERY_SECONDS

    def lease_lost(self, lease_lost_input):
        self.report()

    def shard_ended(self, shard_ended_input):
        self.checkpoint(shard_ended_input.checkpointer)
        self.report()

    def shutdown_requested(self, shutdown_requested_input):
        self.checkpoint(shutdown_requested_input.checkpointer)

    @property
    def file(self):
        return os.path.join(DIRECTORY, f"{self.shard_id}.json")

    def checkpoint(self, checkpointer):
        if DIRECTORY:
            write_counts(self.file, self.counts)
        try:
            checkpointer.checkpoint()
        except CheckpointError as error:
            # Another worker holds the shard now; lease_lost() follows.
            if error.value != "ShutdownException":
                raise

    def report(self):
        if not DIRECTORY:
            print(f"{self.shard_id}: {json.dumps(self.counts, ensure_ascii=False)}")


def read_counts(path):
    try:
        with open(path, encoding="utf-8") as file:
            return Counter(json.load(file))
    except FileNotFoundError:
        return Counter()


def write_counts(path, counts):
    """Replaces the file atomically: a reader sees the old counts or the new ones."""
    draft = f"{path}.{os.getpid()}.tmp"
    with open(draft, "w", encoding="utf-8") as file:
        json.dump(counts, file, ensure_ascii=False)
    os.replace(draft, path)


if __name__ == "__main__":
    KCLProcess(WordCount()).run()
