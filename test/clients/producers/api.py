"""Calls everything of the Python producer and writes what it receives; see producerClient.ts."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../../clients/python"))

from kinesis_multilang_producer import Producer, RecordFailed  # noqa: E402

DATA = bytes(range(256))


def failure(future):
    error = future.exception()
    return error.code if isinstance(error, RecordFailed) else error


producer = Producer(["--ignored"], socket=os.environ.get("PRODUCER_SOCKET"))
futures = [producer.put("k", DATA, explicit_hash_key=2**127, stream="words") for _ in range(20)]
flushed = producer.flush(timeout=30)
results = [future.result() for future in futures]
received = producer.metrics("UserRecordsReceived")
failed = failure(producer.put("", "text"))
totals = producer.close()
print(
    json.dumps(
        {
            "shards": sorted({result.shard_id for result in results}),
            "attempts": sorted({attempt.success for result in results for attempt in result.attempts}),
            "flushed": flushed,
            "received": sum(figure["sum"] for figure in received if not figure["dimensions"]),
            "failed": failed,
            "afterClose": failure(producer.put("k", "text")),
            "totals": totals,
        }
    )
)
