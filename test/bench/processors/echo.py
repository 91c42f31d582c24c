"""The echo processor in Python, on the client that its argument names: ours or Amazon's, which have
the same names.

It decodes each record's data. ../go/echochild/main.go describes its notes.
"""

import os
import sys
import time
from pathlib import Path

if sys.argv[1] == "amazon_kclpy":
    from amazon_kclpy import kcl
    from amazon_kclpy.v3 import processor
else:
    sys.path.insert(0, str(Path(__file__).parents[3] / "clients" / "python"))
    import kinesis_multilang as kcl
    import kinesis_multilang as processor

notes = open(Path(os.environ["BENCH_NOTES"]) / str(os.getpid()), "w", buffering=1)


def note(word, *numbers):
    print(word, time.time_ns(), *numbers, file=notes)


class Echo(processor.RecordProcessorBase):
    def initialize(self, initialize_input):
        note("init")

    def process_records(self, process_records_input):
        records = process_records_input.records
        bytes = 0
        for record in records:
            bytes += len(record.binary_data)
        note("batch", len(records), bytes)

    def lease_lost(self, lease_lost_input):
        pass

    def shard_ended(self, shard_ended_input):
        shard_ended_input.checkpointer.checkpoint()

    def shutdown_requested(self, shutdown_requested_input):
        shutdown_requested_input.checkpointer.checkpoint()


note("start")
kcl.KCLProcess(Echo()).run()
