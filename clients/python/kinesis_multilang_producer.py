"""Puts records into Amazon Kinesis streams through the program ``kinesis-multilang produce``.

The program collects records, aggregates them as the Kinesis Producer Library does, and retries.
This module starts it and speaks its protocol::

    from kinesis_multilang_producer import Producer

    with Producer(["-p", "producer.properties"]) as producer:
        stored = producer.put("pets", b"cat")      # a concurrent.futures.Future
        print(stored.result().sequence_number)

:class:`AsyncProducer` is the same for asyncio.
"""

from __future__ import annotations

import asyncio
import binascii
import itertools
import json
import os
import socket as sockets
import subprocess
import sys
import threading
from concurrent.futures import Future
from typing import Any, Callable, Dict, IO, List, NamedTuple, Optional, Sequence, Tuple, Union

__version__ = "0.1.0"

PROTOCOL_VERSION = 1
MAX_LINE_BYTES = 16 * 1024 * 1024
_READ_BYTES = 256 * 1024


class Attempt(NamedTuple):
    """One attempt to store a record."""

    delay_millis: int
    """Since the end of the attempt before, or since the put."""
    duration_millis: int
    success: bool
    error_code: Optional[str] = None
    error_message: Optional[str] = None
    maybe_stored: bool = False
    """The outcome is unknown. If a later attempt succeeds, the record may be stored twice."""


class Stored(NamedTuple):
    """Where a record is stored. A consumer receives it with these numbers."""

    shard_id: str
    sequence_number: str
    """Decimal digits, shared by the records of one aggregate."""
    sub_sequence_number: int
    attempts: Tuple[Attempt, ...]


class Totals(NamedTuple):
    """What became of all records."""

    stored: int
    failed: int
    not_stored: int
    """Records that had no outcome when the producer's ``closeTimeoutMillis`` was over."""


class RecordFailed(Exception):
    """A record is not stored. ``code`` is a name of the protocol, such as ``RecordTooLarge``, or of
    a Kinesis error. The producer has already retried what a retry can resolve."""

    def __init__(self, code: str, message: str, attempts: Tuple[Attempt, ...] = ()) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.attempts = attempts


class ProducerDied(RecordFailed):
    """The program has ended unexpectedly. Records without an outcome may or may not be stored."""

    def __init__(self, message: str) -> None:
        super().__init__("ProducerDied", message)


class _Conversation:
    """The client's side of the protocol without its input and output: which messages wait for an
    answer, and how much may be written. The futures are those of threads or of asyncio."""

    def __init__(self) -> None:
        self.ready: Optional[Dict[str, Any]] = None
        self.totals: Optional[Totals] = None
        self.end: Optional[RecordFailed] = None
        """Why nothing can be written any more."""
        self.waiting: Dict[int, Any] = {}
        self._credit = 0
        self._ids = itertools.count(1)

    def encode(self, message: Dict[str, Any]) -> Tuple[int, bytes]:
        ident = next(self._ids)
        line = json.dumps({**message, "id": ident}, ensure_ascii=False, separators=(",", ":"))
        return ident, line.encode() + b"\n"

    def start(self) -> bytes:
        """Returns the client's first line."""
        assert self.ready is not None
        if self.ready["protocolVersion"] != PROTOCOL_VERSION:
            raise ProducerDied(
                f"the producer uses protocol version {self.ready['protocolVersion']}, this client "
                f"uses version {PROTOCOL_VERSION}; update the client"
            )
        client = f"kinesis_multilang_producer.py {__version__}"
        message = {"action": "start", "protocolVersion": 1, "client": client, "credit": True}
        line = json.dumps(message).encode() + b"\n"
        self._credit -= len(line)
        return line

    def must_wait(self, cost: int) -> bool:
        """Whether a put of ``cost`` bytes has to wait for credit."""
        if self.end or cost > MAX_LINE_BYTES:
            return False
        return self._credit < min(cost, self.ready["maxInFlightBytes"])

    def begin(self, ident: int, future: Any, cost: int) -> bool:
        """Registers a line. If it cannot be written, fails its future and returns False."""
        if self.end:
            future.set_exception(self.end)
            return False
        if cost > MAX_LINE_BYTES:
            text = f"the record takes {cost} bytes in the protocol; allowed: {MAX_LINE_BYTES}"
            future.set_exception(RecordFailed("RecordTooLarge", text))
            return False
        self._credit -= cost
        self.waiting[ident] = future
        return True

    def receive(self, line: bytes) -> Optional[Callable[[], None]]:
        """Reads a message. Returns what completes the future that waited for it, if one did."""
        message = json.loads(line)
        action = message.get("action")
        if action in _ANSWERS:
            future = self.waiting.pop(message["id"], None)
            return future and _settle(future, *_ANSWERS[action](message))
        if action == "credit":
            self._credit += message["bytes"]
        elif action == "ready":
            self.ready = message
            self._credit = message["maxInFlightBytes"]
        elif action == "closed":
            self.totals = Totals(message["stored"], message["failed"], message["notStored"])
        elif action == "error":
            text = f"the producer refused line {message['line']}: {message['message']}"
            print(f"kinesis_multilang_producer: {text}", file=sys.stderr, flush=True)
        return None

    def finish(self, why: str) -> List[Callable[[], None]]:
        """Ends the conversation. Returns what fails the futures that still wait."""
        error: RecordFailed
        if self.totals is None:
            error = ProducerDied(f"{why}; see its log on STDERR")
        else:
            error = RecordFailed("NotStored", "the producer ended before the record had an outcome")
        waiting, self.waiting = self.waiting, {}
        self.end = RecordFailed("Closed", "the producer has ended") if self.totals else error
        return [_settle(future, None, error) for future in waiting.values()]


def _settle(future: Any, value: Any, error: Optional[Exception] = None) -> Callable[[], None]:
    def act() -> None:
        if future.done():  # the program has cancelled it
            return
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)

    return act


def _outcome(message: Dict[str, Any]) -> Tuple[Optional[Stored], Optional[RecordFailed]]:
    attempts = tuple(
        Attempt(
            each["delay"],
            each["duration"],
            each["success"],
            each.get("errorCode"),
            each.get("errorMessage"),
            each.get("maybeStored", False),
        )
        for each in message["attempts"]
    )
    if "error" in message:
        return None, RecordFailed(message["error"], message["message"], attempts)
    place = message["shardId"], message["sequenceNumber"], message["subSequenceNumber"]
    return Stored(*place, attempts), None


# What the answers contain: a value, or an error.
_ANSWERS: Dict[str, Callable[[Dict[str, Any]], Tuple[Any, Optional[RecordFailed]]]] = {
    "result": _outcome,
    "flushed": lambda message: (message["notStored"], None),
    "metrics": lambda message: (message["metrics"], None),
}


def _put_message(
    partition_key: str,
    data: Union[bytes, str],
    explicit_hash_key: Union[int, str, None],
    stream: Optional[str],
) -> Dict[str, Any]:
    message = {"action": "put", "partitionKey": partition_key}
    if isinstance(data, str):
        message["text"] = data
    else:
        message["data"] = binascii.b2a_base64(data, newline=False).decode()
    if explicit_hash_key is not None:
        message["explicitHashKey"] = str(explicit_hash_key)
    if stream is not None:
        message["stream"] = stream
    return message


def _question(action: str, **fields: Any) -> Dict[str, Any]:
    given = {name: value for name, value in fields.items() if value is not None}
    return {"action": action, **given}


def _millis(seconds: Optional[float]) -> Optional[int]:
    return None if seconds is None else round(seconds * 1000)


def _command(options: Sequence[str]) -> List[str]:
    given = os.environ.get("KINESIS_MULTILANG_PRODUCER", "").split()
    return given or ["kinesis-multilang", "produce", "--protocol", *options]


class Producer:
    """Puts records from any thread. Use it in a ``with`` statement, or call :meth:`close`."""

    def __init__(self, options: Sequence[str] = (), *, socket: Optional[str] = None) -> None:
        """
        Starts the program, or connects to one that listens.

        :param options: options of ``kinesis-multilang produce --protocol``, such as ``["-p",
        "producer.properties"]``. The environment variable ``KINESIS_MULTILANG_PRODUCER`` replaces
        the whole command.
        :param socket: the path at which ``kinesis-multilang produce --listen unix:PATH`` listens.
        :raises ProducerDied: the program ended at once; its log on STDERR has the reason.
        """
        self._conversation = _Conversation()
        # Guards the conversation, and announces credit and the end.
        self._changed = threading.Condition()
        # Keeps the order of lines. The reader never takes it, so it reads while a write waits.
        self._writing = threading.Lock()
        self._process: Optional[subprocess.Popen[bytes]] = None
        self._socket: Optional[sockets.socket] = None
        self._from: IO[bytes]
        self._to: IO[bytes]
        if socket is None:
            # In a session of its own: Ctrl-C reaches this program, which then closes the producer.
            self._process = subprocess.Popen(
                _command(options),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
            )
            assert self._process.stdout and self._process.stdin
            self._from, self._to = self._process.stdout, self._process.stdin
        else:
            self._socket = sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM)
            self._socket.connect(socket)
            self._from, self._to = self._socket.makefile("rb"), self._socket.makefile("wb")
        self._reader = threading.Thread(target=self._read, name="kinesis-producer", daemon=True)
        self._reader.start()
        self._begin()

    def put(
        self,
        partition_key: str,
        data: Union[bytes, str],
        *,
        explicit_hash_key: Union[int, str, None] = None,
        stream: Optional[str] = None,
    ) -> "Future[Stored]":
        """
        Hands over one record. Waits while ``maxInFlightBytes`` of records have no outcome yet.

        :param data: bytes, or text, which is stored as UTF-8.
        :param stream: optional, if the producer's configuration names one.
        :returns: a future with :class:`Stored`, or with :class:`RecordFailed`. Callbacks of the
        future run in the thread that reads results. They cannot call this producer.
        """
        return self._send(_put_message(partition_key, data, explicit_hash_key, stream))

    def flush(self, timeout: Optional[float] = None) -> int:
        """Sends everything that was put before, and waits for the outcomes.

        :param timeout: the longest wait, in seconds.
        :returns: the number of records that still have no outcome.
        """
        return self._send(_question("flush", timeoutMs=_millis(timeout))).result()

    def metrics(
        self, name: Optional[str] = None, window_seconds: Optional[int] = None
    ) -> List[Dict[str, Any]]:
        """Returns figures under the KPL's names: ``name``, ``dimensions``, ``sum``,
        ``sampleCount``, ``min`` and ``max``."""
        question = _question("metrics", name=name, windowSeconds=window_seconds)
        return self._send(question).result()

    @property
    def outstanding(self) -> int:
        """The number of messages without an answer."""
        with self._changed:
            return len(self._conversation.waiting)

    def close(self) -> Totals:
        """Sends everything that was put, waits for the outcomes, and ends the producer.

        :raises ProducerDied: the program ended before it had reported all outcomes.
        """
        with self._writing:
            with self._changed:
                if self._conversation.end is None:
                    self._conversation.end = RecordFailed("Closed", "the producer is closed")
            self._end_input()
        self._reader.join()
        self._from.close()
        if self._process:
            self._process.wait()
        if self._socket:
            self._socket.close()
        totals = self._conversation.totals
        if totals is None:
            raise self._conversation.end
        return totals

    def __enter__(self) -> "Producer":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _begin(self) -> None:
        conversation = self._conversation
        with self._changed:
            self._changed.wait_for(lambda: conversation.ready or conversation.end)
        if conversation.end:
            self.close()
        try:
            self._write(conversation.start())
        except ProducerDied:
            self._end_input()
            raise

    def _send(self, message: Dict[str, Any]) -> "Future[Any]":
        if threading.current_thread() is self._reader:
            raise RuntimeError("a future's callback cannot call the producer: it would wait for itself")
        conversation = self._conversation
        ident, line = conversation.encode(message)
        is_put = message["action"] == "put"
        future: "Future[Any]" = Future()
        with self._writing:
            with self._changed:
                while is_put and conversation.must_wait(len(line)):
                    self._changed.wait()
                if not conversation.begin(ident, future, len(line)):
                    return future
            self._write(line)
        return future

    def _write(self, line: bytes) -> None:
        try:
            self._to.write(line)
            self._to.flush()
        except OSError:
            pass  # The producer has ended. The reader notices, and fails all futures.

    def _end_input(self) -> None:
        try:
            self._to.close()
            if self._socket:
                self._socket.shutdown(sockets.SHUT_WR)
        except OSError:
            pass  # The producer has ended.

    def _read(self) -> None:
        why = "the connection has ended"
        try:
            for line in self._from:
                with self._changed:
                    settle = self._conversation.receive(line)
                    if settle is None:
                        self._changed.notify_all()
                if settle:
                    settle()
            if self._process:
                why = f"the producer has ended with code {self._process.wait()}"
        except Exception as error:  # also a line that is not a message
            why = f"the producer's output cannot be read: {error!r}"
        with self._changed:
            settles = self._conversation.finish(why)
            self._changed.notify_all()
        for settle in settles:
            settle()


class AsyncProducer:
    """The producer for asyncio. Use it in an ``async with`` statement, or call :meth:`start` and
    :meth:`close`. The parameters are those of :class:`Producer`."""

    def __init__(self, options: Sequence[str] = (), *, socket: Optional[str] = None) -> None:
        self._options = options
        self._path = socket
        self._conversation = _Conversation()
        self._process: Optional[asyncio.subprocess.Process] = None

    async def start(self) -> None:
        """Starts the program, or connects to one that listens.

        :raises ProducerDied: the program ended at once; its log on STDERR has the reason.
        """
        self._changed = asyncio.Event()
        self._writing = asyncio.Lock()
        self._from: asyncio.StreamReader
        self._to: asyncio.StreamWriter
        if self._path is None:
            pipe = asyncio.subprocess.PIPE
            self._process = await asyncio.create_subprocess_exec(
                *_command(self._options), stdin=pipe, stdout=pipe, start_new_session=True
            )
            assert self._process.stdout and self._process.stdin
            self._from, self._to = self._process.stdout, self._process.stdin
        else:
            self._from, self._to = await asyncio.open_unix_connection(self._path)
        self._reader = asyncio.ensure_future(self._read())
        while not (self._conversation.ready or self._conversation.end):
            await self._change()
        if self._conversation.end:
            await self.close()
        try:
            self._to.write(self._conversation.start())
        except ProducerDied:
            self._to.close()
            raise

    async def put(
        self,
        partition_key: str,
        data: Union[bytes, str],
        *,
        explicit_hash_key: Union[int, str, None] = None,
        stream: Optional[str] = None,
    ) -> "asyncio.Future[Stored]":
        """Hands over one record, after waiting while ``maxInFlightBytes`` of records have no
        outcome yet. Returns a future with :class:`Stored`, or with :class:`RecordFailed`."""
        return await self._send(_put_message(partition_key, data, explicit_hash_key, stream))

    async def put_and_wait(self, *args: Any, **kwargs: Any) -> Stored:
        """Puts one record and waits until it is stored. The parameters are those of :meth:`put`."""
        return await (await self.put(*args, **kwargs))

    async def flush(self, timeout: Optional[float] = None) -> int:
        """As :meth:`Producer.flush`."""
        return await (await self._send(_question("flush", timeoutMs=_millis(timeout))))

    async def metrics(
        self, name: Optional[str] = None, window_seconds: Optional[int] = None
    ) -> List[Dict[str, Any]]:
        """As :meth:`Producer.metrics`."""
        question = _question("metrics", name=name, windowSeconds=window_seconds)
        return await (await self._send(question))

    @property
    def outstanding(self) -> int:
        """The number of messages without an answer."""
        return len(self._conversation.waiting)

    async def close(self) -> Totals:
        """As :meth:`Producer.close`."""
        async with self._writing:
            if self._conversation.end is None:
                self._conversation.end = RecordFailed("Closed", "the producer is closed")
            if self._to.can_write_eof() and not self._to.is_closing():
                self._to.write_eof()
        await self._reader
        self._to.close()
        if self._conversation.totals is None:
            raise self._conversation.end
        return self._conversation.totals

    async def __aenter__(self) -> "AsyncProducer":
        await self.start()
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.close()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    async def _send(self, message: Dict[str, Any]) -> "asyncio.Future[Any]":
        conversation = self._conversation
        ident, line = conversation.encode(message)
        is_put = message["action"] == "put"
        future = asyncio.get_running_loop().create_future()
        async with self._writing:
            while is_put and conversation.must_wait(len(line)):
                await self._change()
            if conversation.begin(ident, future, len(line)):
                try:
                    self._to.write(line)
                    await self._to.drain()
                except OSError:
                    pass  # The producer has ended. The reader notices, and fails all futures.
        return future

    async def _read(self) -> None:
        why = "the connection has ended"
        rest = b""
        try:
            while True:
                chunk = await self._from.read(_READ_BYTES)
                if not chunk:
                    break
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    settle = self._conversation.receive(line)
                    if settle:
                        settle()
                self._changed.set()
            if self._process:
                why = f"the producer has ended with code {await self._process.wait()}"
        except Exception as error:  # also a line that is not a message
            why = f"the producer's output cannot be read: {error!r}"
        for settle in self._conversation.finish(why):
            settle()
        self._changed.set()
