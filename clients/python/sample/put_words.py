#!/usr/bin/env python3
"""Puts records from STDIN, one per line: a partition key, a tab and a text.

The sample writes one line for each record to STDOUT, in the same order, as soon as its outcome is
known: ``stored SHARD_ID SEQUENCE_NUMBER SUB_SEQUENCE_NUMBER`` or ``failed ERROR``. Its arguments are
options of ``kinesis-multilang produce``, such as ``--stream words``.
"""

import os
import queue
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from kinesis_multilang_producer import Producer  # noqa: E402


def main():
    sys.stdin.reconfigure(encoding="utf-8", newline="\n")
    futures = queue.SimpleQueue()
    failures = []
    reporter = threading.Thread(target=report, args=(futures, failures))
    reporter.start()
    try:
        with Producer(sys.argv[1:]) as producer:
            for line in sys.stdin:
                partition_key, _, text = line.rstrip("\n").partition("\t")
                futures.put(producer.put(partition_key, text))
            producer.flush()
    finally:
        futures.put(None)
        reporter.join()
    return 1 if failures else 0


def report(futures, failures):
    while True:
        future = futures.get()
        if future is None:
            return
        error = future.exception()
        if error:
            failures.append(error)
            print("failed", error.code, flush=True)
        else:
            print("stored", *future.result()[:3], flush=True)


if __name__ == "__main__":
    sys.exit(main())
