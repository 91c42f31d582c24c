"""Runs an unchanged AWS Lambda function for Kinesis as a record processor::

    executableName = python3 -m kinesis_multilang_lambda [OPTIONS] index.handler

OPTIONS are ``--batch-size 100``, ``--timeout 900`` and ``--stream-arn ARN``.

A batch that succeeds is checkpointed. If a record fails, the position before the first failed
record is checkpointed and the process ends, so the daemon delivers from there again. As in Lambda,
this repeats until the batch succeeds.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Optional, Sequence

from kinesis_multilang import (
    CheckpointError,
    Checkpointer,
    InitializeInput,
    KCLProcess,
    ProcessRecordsInput,
    Record,
    RecordProcessorBase,
    ShardEndedInput,
    ShutdownRequestedInput,
)

# The default batch size of an event source mapping.
BATCH_SIZE = 100
# Lambda's maximum time for an invocation.
TIMEOUT_SECONDS = 900.0

Handler = Callable[[Dict[str, Any], "LambdaContext"], Any]


class InvocationError(Exception):
    """The function did not process a batch, or a part of it."""


def _region() -> str:
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"


@dataclass
class LambdaContext:
    """Lambda's information about an invocation, as far as it exists here."""

    function_name: str
    deadline: float
    function_version: str = "$LATEST"
    memory_limit_in_mb: str = "128"
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    log_stream_name: str = field(default_factory=lambda: time.strftime("%Y/%m/%d/[$LATEST]", time.gmtime()))
    identity: None = None
    client_context: None = None

    @property
    def invoked_function_arn(self) -> str:
        return f"arn:aws:lambda:{_region()}:000000000000:function:{self.function_name}"

    @property
    def log_group_name(self) -> str:
        return f"/aws/lambda/{self.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self.deadline - time.monotonic()) * 1000))


class LambdaProcessor(RecordProcessorBase):
    """The record processor that calls ``handler(event, context)``."""

    def __init__(
        self,
        handler: Handler,
        batch_size: int = BATCH_SIZE,
        timeout_seconds: float = TIMEOUT_SECONDS,
        function_name: str = "function",
        stream_arn: Optional[str] = None,
    ) -> None:
        """
        :param batch_size: maximum number of records per invocation.
        :param timeout_seconds: an invocation that takes longer ends the process, as in Lambda.
        :param stream_arn: ``eventSourceARN`` of the records; its region becomes ``awsRegion``.
        """
        self._handler = handler
        self._batch_size = batch_size
        self._timeout_seconds = timeout_seconds
        self._function_name = function_name
        self._stream_arn = stream_arn or f"arn:aws:kinesis:{_region()}:000000000000:stream/unknown"
        self._shard_id = ""

    def initialize(self, initialize_input: InitializeInput) -> None:
        self._shard_id = initialize_input.shard_id

    def process_records(self, process_records_input: ProcessRecordsInput) -> None:
        records = process_records_input.records
        checkpointer = process_records_input.checkpointer
        for start in range(0, len(records), self._batch_size):
            batch = records[start : start + self._batch_size]
            done = 0
            try:
                done = _count_done(batch, self._invoke(batch))
                if done < len(batch):
                    raise InvocationError(
                        f"the function reported batch item failures; shard {self._shard_id} will be delivered again "
                        f"from {batch[done].sequence_number}"
                    )
            except Exception:
                if start + done > 0:
                    last = records[start + done - 1]
                    _store(checkpointer, last.sequence_number, last.sub_sequence_number)
                raise
        if records:
            _store(checkpointer)

    def shard_ended(self, shard_ended_input: ShardEndedInput) -> None:
        _store(shard_ended_input.checkpointer)

    def shutdown_requested(self, shutdown_requested_input: ShutdownRequestedInput) -> None:
        _store(shutdown_requested_input.checkpointer)

    def _invoke(self, batch: Sequence[Record]) -> Any:
        context = LambdaContext(self._function_name, time.monotonic() + self._timeout_seconds)
        timer = threading.Timer(self._timeout_seconds, _too_late, [self._timeout_seconds])
        timer.daemon = True
        timer.start()
        try:
            return self._handler({"Records": [self._event(record) for record in batch]}, context)
        finally:
            timer.cancel()

    def _event(self, record: Record) -> Dict[str, Any]:
        """One record as Lambda documents it: times in seconds, the shard in the event id."""
        return {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": record.partition_key,
                "sequenceNumber": record.sequence_number,
                "data": record.data,
                "approximateArrivalTimestamp": (record.timestamp_millis or 0) / 1000,
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"{self._shard_id}:{record.sequence_number}",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": "arn:aws:iam::000000000000:role/kinesis-multilang",
            "awsRegion": (self._stream_arn.split(":") + [""] * 4)[3] or _region(),
            "eventSourceARN": self._stream_arn,
        }


def _count_done(batch: Sequence[Record], response: Any) -> int:
    """Returns how many records from the start of the batch are done, by Lambda's rules.

    No list of failures or an empty one means success. An item without a known identifier fails the
    whole batch. Of several items, the lowest counts. The records of one KPL aggregate share their
    sequence number and stay together.
    """
    failures = response.get("batchItemFailures") if isinstance(response, dict) else None
    if failures is None:
        return len(batch)
    if not isinstance(failures, list):
        return 0
    numbers: List[str] = [record.sequence_number for record in batch]
    failed = [item.get("itemIdentifier") if isinstance(item, dict) else None for item in failures]
    return min([numbers.index(each) if each in numbers else 0 for each in failed], default=len(batch))


def _store(checkpointer: Checkpointer, *position: Any) -> None:
    try:
        checkpointer.checkpoint(*position)
    except CheckpointError as error:
        # Another worker holds the shard now; lease_lost() follows.
        if error.value != "ShutdownException":
            raise


def _too_late(timeout_seconds: float) -> None:
    print(f"kinesis_multilang_lambda: no answer within {timeout_seconds:g} s", file=sys.stderr, flush=True)
    os._exit(1)


def load_handler(name: str) -> Handler:
    """Returns the function that Lambda would find under ``package/module.function`` or
    ``package.module.function``.

    :raises ImportError: there is no such module, or no such function in it.
    """
    module, _, function = name.replace("/", ".").rpartition(".")
    if not module:
        raise ImportError(f"{name} is not of the form module.function")
    handler = getattr(importlib.import_module(module), function, None)
    if not callable(handler):
        raise ImportError(f"module {module} has no function {function}")
    return handler


def main() -> None:
    parser = argparse.ArgumentParser(prog="kinesis_multilang_lambda", description="Runs a Lambda function for Kinesis.")
    parser.add_argument("handler", help="module.function")
    parser.add_argument("--batch-size", type=int, default=BATCH_SIZE, help="records per invocation (default 100)")
    parser.add_argument("--timeout", type=float, default=TIMEOUT_SECONDS, help="seconds per invocation (default 900)")
    parser.add_argument("--stream-arn", help="eventSourceARN of the records")
    options = parser.parse_args()
    if options.batch_size < 1 or options.timeout <= 0:
        parser.error("--batch-size and --timeout must be positive")
    loaded: List[Handler] = []

    class Process(LambdaProcessor):
        def initialize(self, initialize_input: InitializeInput) -> None:
            super().initialize(initialize_input)
            # Load the module only now: what it prints while it loads must not reach STDOUT.
            sys.path.insert(0, os.getcwd())
            loaded.append(load_handler(options.handler))

    KCLProcess(
        Process(
            lambda event, context: loaded[0](event, context),
            batch_size=options.batch_size,
            timeout_seconds=options.timeout,
            function_name=options.handler,
            stream_arn=options.stream_arn,
        )
    ).run()


if __name__ == "__main__":
    main()
