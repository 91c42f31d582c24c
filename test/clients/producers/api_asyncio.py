"""Calls everything of the asyncio producer and writes what it receives; see producerClient.ts."""

import asyncio
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../../clients/python"))

from kinesis_multilang_producer import AsyncProducer, RecordFailed  # noqa: E402

DATA = bytes(range(256))


async def failure(producer):
    try:
        await producer.put_and_wait("", "text")
    except RecordFailed as error:
        return error.code


async def main():
    async with AsyncProducer(["--ignored"], socket=os.environ.get("PRODUCER_SOCKET")) as producer:
        puts = [producer.put("k", DATA, explicit_hash_key=2**127, stream="words") for _ in range(20)]
        futures = [await put for put in puts]
        flushed = await producer.flush(timeout=30)
        results = await asyncio.gather(*futures)
        received = await producer.metrics("UserRecordsReceived")
        failed = await failure(producer)
    totals = await producer.close()
    print(
        json.dumps(
            {
                "shards": sorted({result.shard_id for result in results}),
                "attempts": sorted({each.success for result in results for each in result.attempts}),
                "flushed": flushed,
                "received": sum(figure["sum"] for figure in received if not figure["dimensions"]),
                "failed": failed,
                "afterClose": await failure(producer),
                "totals": totals,
            }
        )
    )


asyncio.run(main())
