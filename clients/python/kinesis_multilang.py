"""Runs an Amazon Kinesis record processor in Python, with the MultiLangDaemon protocol.

A processor is a class with five methods. One process runs one processor for one shard::

    from kinesis_multilang import KCLProcess, RecordProcessorBase

    class Processor(RecordProcessorBase):
        def process_records(self, process_records_input):
            for record in process_records_input.records:
                print(record.binary_data)
            process_records_input.checkpointer.checkpoint()

        def shard_ended(self, shard_ended_input):
            shard_ended_input.checkpointer.checkpoint()

    KCLProcess(Processor()).run()

The names are those of ``amazon_kclpy`` 3, so its processors change one line:
``from kinesis_multilang import kcl, processor``. STDIN and STDOUT belong to the protocol. Once a
:class:`KCLProcess` exists, everything printed to STDOUT goes to STDERR, also from C code and child
processes.
"""

from __future__ import annotations

import asyncio
import binascii
import inspect
import io
import json
import os
import random
import sys
import time
from datetime import datetime
from typing import Any, Awaitable, Callable, Dict, IO, List, Optional

__version__ = "0.1.0"

# Errors that a retry can resolve: the lease table was throttled or unavailable.
RETRYABLE = frozenset({"ThrottlingException", "KinesisClientLibDependencyException"})
CHECKPOINT_ATTEMPTS = 8
FIRST_WAIT_SECONDS = 0.2
LONGEST_WAIT_SECONDS = 5.0


class CheckpointError(Exception):
    """A checkpoint was not stored. ``value`` is KCL's name for the reason.

    ``ShutdownException``: another worker holds the shard, or the host is gone; stop.
    ``InvalidStateException``: a checkpoint is not possible now. ``IllegalArgumentException``: the
    position is outside of what was delivered. ``ThrottlingException`` and
    ``KinesisClientLibDependencyException``: the lease table failed at every attempt.
    """

    def __init__(self, value: str) -> None:
        super().__init__(value)
        self.value = value


class Record:
    """One record of the stream, or one user record of a KPL aggregate."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Dict[str, Any]) -> None:
        self._fields = fields

    @property
    def binary_data(self) -> bytes:
        """The payload, decoded anew in each call. Raises ValueError if ``data`` is not base64."""
        text = self._fields["data"] or ""
        payload = binascii.a2b_base64(text)
        # The decoder skips invalid characters, so a damaged payload would only be shorter.
        if (len(payload) + 2) // 3 * 4 != len(text):
            raise ValueError("the data of a record is not base64")
        return payload

    @property
    def data(self) -> str:
        """The payload as base64 text."""
        return self._fields["data"]

    @property
    def partition_key(self) -> str:
        return self._fields["partitionKey"]

    @property
    def sequence_number(self) -> str:
        """Decimal digits, shared by all user records of one aggregate. Compare as ``int``."""
        return self._fields["sequenceNumber"]

    @property
    def sub_sequence_number(self) -> int:
        """The position within an aggregate; 0 for a plain record."""
        return self._fields["subSequenceNumber"]

    @property
    def timestamp_millis(self) -> Optional[int]:
        """When Kinesis stored the record, approximately, in milliseconds since 1970."""
        millis = self._fields["approximateArrivalTimestamp"]
        return None if millis is None else int(millis)

    @property
    def approximate_arrival_timestamp(self) -> Optional[datetime]:
        """The same in local time, without a time zone."""
        millis = self.timestamp_millis
        return None if millis is None else datetime.fromtimestamp(millis / 1000.0)

    def get(self, field: str) -> Any:
        """A field by its name in the protocol, such as ``"partitionKey"``. Raises KeyError."""
        return self._fields[field]

    __getitem__ = get


class Checkpointer:
    """Stores how far the shard is processed."""

    def __init__(self, lines: "_Lines", sleep: Callable[[float], None] = time.sleep) -> None:
        self._lines = lines
        self._sleep = sleep

    def checkpoint(
        self, sequence_number: Optional[str] = None, sub_sequence_number: Optional[int] = None
    ) -> None:
        """Returns when the position is stored. A restart continues after it.

        Without arguments, stores the end of all records delivered so far. Only this form is always
        right at the end of the shard. Errors that a retry can resolve are retried for about 12
        seconds.

        :raises CheckpointError: the position was not stored; ``value`` has the reason.
        """
        request = {
            "action": "checkpoint",
            "sequenceNumber": sequence_number,
            "subSequenceNumber": sub_sequence_number,
        }
        for attempt in range(1, CHECKPOINT_ATTEMPTS + 1):
            error = self._ask(request)
            if error is None:
                return
            if error not in RETRYABLE or attempt == CHECKPOINT_ATTEMPTS:
                raise CheckpointError(error)
            longest = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** (attempt - 1))
            # At least half of the wait; random, so that workers do not retry together.
            self._sleep(longest * (0.5 + random.random() / 2))

    def _ask(self, request: Dict[str, Any]) -> Optional[str]:
        self._lines.write(request)
        answer = self._lines.read()
        if answer is None:
            return "ShutdownException"
        if answer.get("action") != "checkpoint":
            return "InvalidStateException"
        return answer.get("error")


class _Input:
    """The argument of a processor's method: the message and, where allowed, the checkpointer."""

    __slots__ = ("_message", "_checkpointer")

    def __init__(self, message: Dict[str, Any], checkpointer: Checkpointer) -> None:
        self._message = message
        self._checkpointer = checkpointer

    @property
    def action(self) -> str:
        """The action's name in the protocol, such as ``"processRecords"``."""
        return self._message["action"]


class _InputWithCheckpointer(_Input):
    __slots__ = ()

    @property
    def checkpointer(self) -> Checkpointer:
        return self._checkpointer


class InitializeInput(_Input):
    """The shard, and where it starts."""

    __slots__ = ()

    @property
    def shard_id(self) -> str:
        return self._message["shardId"]

    @property
    def sequence_number(self) -> Optional[str]:
        """The stored checkpoint: digits, or ``TRIM_HORIZON``, ``LATEST``, ``AT_TIMESTAMP`` if there
        is none yet."""
        return self._message["sequenceNumber"]

    @property
    def sub_sequence_number(self) -> Optional[int]:
        return self._message["subSequenceNumber"]


class ProcessRecordsInput(_InputWithCheckpointer):
    """A batch of records, in order."""

    __slots__ = ("_records",)

    def __init__(self, message: Dict[str, Any], checkpointer: Checkpointer) -> None:
        super().__init__(message, checkpointer)
        self._records = [Record(fields) for fields in message["records"]]

    @property
    def records(self) -> List[Record]:
        return self._records

    @property
    def millis_behind_latest(self) -> Optional[int]:
        """How far the batch is behind the newest record of the shard."""
        return self._message["millisBehindLatest"]


class LeaseLostInput(_Input):
    """Another worker holds the shard: checkpoints are no longer possible."""

    __slots__ = ()


class ShardEndedInput(_InputWithCheckpointer):
    """The shard was split or merged and has no more records. Checkpoint, or its child shards are
    never read."""

    __slots__ = ()


class ShutdownRequestedInput(_InputWithCheckpointer):
    """The host will release the shard: the last chance to checkpoint."""

    __slots__ = ()


class RecordProcessorBase:
    """The base class of a processor. A method may also be an ``async def``; an event loop runs
    during the call."""

    version = 3

    def initialize(self, initialize_input: InitializeInput) -> Optional[Awaitable[None]]:
        """Called once, before anything else."""

    def process_records(
        self, process_records_input: ProcessRecordsInput
    ) -> Optional[Awaitable[None]]:
        """Called with each batch, in order."""
        raise NotImplementedError("a record processor needs process_records()")

    def lease_lost(self, lease_lost_input: LeaseLostInput) -> Optional[Awaitable[None]]:
        """Called last, when another worker holds the shard."""

    def shard_ended(self, shard_ended_input: ShardEndedInput) -> Optional[Awaitable[None]]:
        """Called last, when the whole shard is read: finish pending work, then checkpoint."""
        raise NotImplementedError("a record processor needs shard_ended(), and a checkpoint in it")

    def shutdown_requested(
        self, shutdown_requested_input: ShutdownRequestedInput
    ) -> Optional[Awaitable[None]]:
        """Called before the host releases the shard."""


_ACTIONS: Dict[str, Any] = {
    "initialize": ("initialize", InitializeInput),
    "processRecords": ("process_records", ProcessRecordsInput),
    "leaseLost": ("lease_lost", LeaseLostInput),
    "shardEnded": ("shard_ended", ShardEndedInput),
    "shutdownRequested": ("shutdown_requested", ShutdownRequestedInput),
}


class KCLProcess:
    """Runs one processor. Create it early: it reserves STDOUT for the protocol."""

    def __init__(
        self,
        record_processor: Any,
        input_file: Optional[IO[Any]] = None,
        output_file: Optional[IO[Any]] = None,
        error_file: Optional[IO[str]] = None,
    ) -> None:
        """
        :param record_processor: a :class:`RecordProcessorBase`, or any object with its methods.
        :param input_file: messages from the host. Default: STDIN, which is then empty for the
        program.
        :param output_file: messages to the host. Default: STDOUT, whose prints then go to STDERR.
        :param error_file: this client's warnings. Default: STDERR.
        """
        for name, _ in _ACTIONS.values():
            if not callable(getattr(record_processor, name, None)):
                raise TypeError(
                    f"{type(record_processor).__name__} has no method {name}(); processors of "
                    "amazon_kclpy's versions 1 and 2 have shutdown() instead: replace it by lease_lost() and shard_ended()"
                )
        self._processor = record_processor
        self._error_file = error_file
        source = _take_stdin() if input_file is None else input_file
        target = _take_stdout() if output_file is None else output_file
        self._private = [
            ours for ours, given in ((target, output_file), (source, input_file)) if given is None
        ]
        self._lines = _Lines(source, target)
        self._checkpointer = Checkpointer(self._lines)
        self._loop: Optional[asyncio.AbstractEventLoop] = None

    def run(self) -> None:
        """Returns when the host closes the input. Exceptions of the processor propagate. The
        process must not continue as if the records were processed: the host delivers them again."""
        try:
            while True:
                message = self._lines.read()
                if message is None:
                    return
                self._perform(message)
                del message  # its records are freed before the next batch is read
        except _HostGone:
            self._warn("the host has closed the pipe; ending")
        finally:
            # Closes the pipes at once, even if a thread keeps the process alive.
            for file in self._private:
                file.close()
            if self._loop is not None:
                _end_loop(self._loop)

    def _perform(self, message: Dict[str, Any]) -> None:
        action = message.get("action")
        if action not in _ACTIONS:
            self._warn(f"ignored a message with the unknown action {action!r}")
            return
        name, make_input = _ACTIONS[action]
        result = getattr(self._processor, name)(make_input(message, self._checkpointer))
        if inspect.isawaitable(result):
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                asyncio.set_event_loop(self._loop)
            self._loop.run_until_complete(result)
        self._lines.write({"action": "status", "responseFor": action})

    def _warn(self, text: str) -> None:
        print(f"kinesis_multilang: {text}", file=self._error_file or sys.stderr, flush=True)


class _HostGone(Exception):
    """The host no longer reads. A broken pipe of the processor itself is a different error."""


class _Lines:
    """The input and output of the protocol, with one JSON object per line."""

    def __init__(self, source: IO[Any], target: IO[Any]) -> None:
        self._source = source
        self._target = target
        self._is_text = isinstance(target, io.TextIOBase)

    def read(self) -> Optional[Dict[str, Any]]:
        """Returns the next message, or None at the end of the input."""
        while True:
            line = self._source.readline()
            if not line:
                return None
            if not line.strip():
                continue
            if isinstance(line, bytes):
                line = line.decode("utf-8", "surrogatepass")
            message = json.loads(line)
            if not isinstance(message, dict):
                raise ValueError(f"the host sent something that is not a message: {line[:200]}")
            return message

    def write(self, message: Dict[str, Any]) -> None:
        line = json.dumps(message, separators=(",", ":")) + "\n"
        try:
            self._target.write(line if self._is_text else line.encode())
            self._target.flush()
        except BrokenPipeError as error:
            raise _HostGone from error


def _end_loop(loop: asyncio.AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


def _take_stdin() -> IO[bytes]:
    """Returns a private duplicate of STDIN, and makes STDIN empty."""
    private = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return os.fdopen(private, "rb", buffering=256 * 1024)


def _take_stdout() -> IO[bytes]:
    """Returns a private duplicate of STDOUT, and points descriptor 1 to STDERR, below
    ``sys.stdout``."""
    private = os.dup(1)
    os.dup2(2, 1)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Prints appear at once, as on STDERR.
        sys.stdout.reconfigure(line_buffering=True)
    # Ends a line that an earlier print may have begun. The host ignores blank lines.
    os.write(private, b"\n")
    # Unbuffered: a failed write must not be repeated when the file is closed.
    return os.fdopen(private, "wb", buffering=0)


# The names of amazon_kclpy's modules, for `from kinesis_multilang import kcl, processor`.
kcl = processor = messages = sys.modules[__name__]
