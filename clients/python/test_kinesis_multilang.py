"""Run with: python3 -m unittest (in this folder)."""

import asyncio
import io
import json
import os
import subprocess
import sys
import tempfile
import unittest
import unittest.mock
import weakref
from datetime import datetime

import kinesis_multilang
from kinesis_multilang import (
    CheckpointError,
    Checkpointer,
    KCLProcess,
    Record,
    RecordProcessorBase,
)

HERE = os.path.dirname(os.path.abspath(__file__))
RECORD = {
    "data": "Y2F0w6k=",
    "partitionKey": "key \u2028 one",
    "sequenceNumber": "49590338271490256608559692538361571095921575989136588898",
    "approximateArrivalTimestamp": 1700000000123,
    "subSequenceNumber": 7,
    "action": "record",
}
INITIALIZE = {
    "action": "initialize",
    "shardId": "shardId-000000000003",
    "sequenceNumber": "TRIM_HORIZON",
    "subSequenceNumber": 0,
}
PROCESS = {"action": "processRecords", "records": [RECORD], "millisBehindLatest": 12}


def ack(error=None):
    return {"action": "checkpoint", "sequenceNumber": None, "subSequenceNumber": None, "error": error}


def lines(*messages):
    return "".join(json.dumps(message, ensure_ascii=False) + "\n" for message in messages)


def run(processor, *messages):
    """Returns the process's answers to the messages, and what it writes to its error file."""
    output, errors = io.StringIO(), io.StringIO()
    KCLProcess(processor, io.StringIO(lines(*messages)), output, errors).run()
    return [json.loads(line) for line in output.getvalue().splitlines() if line], errors.getvalue()


def status(action):
    return {"action": "status", "responseFor": action}


class Recorder(RecordProcessorBase):
    """Stores its inputs by action."""

    def __init__(self):
        self.inputs = {}

    def keep(self, given):
        self.inputs[given.action] = given

    initialize = process_records = lease_lost = shard_ended = shutdown_requested = keep


class ConversationTest(unittest.TestCase):
    def test_answers_each_action_with_its_status(self):
        actions = ["leaseLost", "shardEnded", "shutdownRequested"]
        answers, errors = run(
            Recorder(), INITIALIZE, PROCESS, *({"action": action} for action in actions)
        )
        self.assertEqual(answers, [status(a) for a in ["initialize", "processRecords", *actions]])
        self.assertEqual(errors, "")

    def test_passes_all_fields_on(self):
        recorder = Recorder()
        run(recorder, INITIALIZE, PROCESS)
        initialize = recorder.inputs["initialize"]
        self.assertEqual(initialize.shard_id, "shardId-000000000003")
        self.assertEqual(initialize.sequence_number, "TRIM_HORIZON")
        self.assertEqual(initialize.sub_sequence_number, 0)
        process = recorder.inputs["processRecords"]
        self.assertEqual(process.millis_behind_latest, 12)
        record = process.records[0]
        self.assertEqual(record.binary_data, "caté".encode())
        self.assertEqual(record.data, "Y2F0w6k=")
        self.assertEqual(record.partition_key, "key \u2028 one")
        self.assertEqual(record.sequence_number, RECORD["sequenceNumber"])
        self.assertEqual(record.sub_sequence_number, 7)
        self.assertEqual(record.timestamp_millis, 1700000000123)
        self.assertEqual(
            record.approximate_arrival_timestamp, datetime.fromtimestamp(1700000000.123)
        )
        self.assertEqual(record.get("partitionKey"), record["partitionKey"])

    def test_a_null_time_is_none(self):
        recorder = Recorder()
        run(recorder, {**PROCESS, "records": [{**RECORD, "approximateArrivalTimestamp": None}]})
        record = recorder.inputs["processRecords"].records[0]
        self.assertIsNone(record.approximate_arrival_timestamp)

    def test_damaged_data_is_an_error(self):
        recorder = Recorder()
        for data in ["Y2F0", "Y2E=", "Yw==", "", None]:
            run(recorder, {**PROCESS, "records": [{**RECORD, "data": data}]})
            record = recorder.inputs["processRecords"].records[0]
            self.assertEqual(record.binary_data, b"cat"[: len(record.binary_data)])
        for data in ["Y2F", "Y2F0Y", "Y2?F0???", "Y2F0\n", "????"]:
            run(recorder, {**PROCESS, "records": [{**RECORD, "data": data}]})
            with self.assertRaises(ValueError):
                recorder.inputs["processRecords"].records[0].binary_data

    def test_a_line_that_is_not_a_message_is_an_error(self):
        for line in ["null", "7", "{", '{"action":"initialize"', '"x"']:
            with self.assertRaises(ValueError):
                KCLProcess(Recorder(), io.BytesIO(line.encode() + b"\n"), io.BytesIO()).run()

    def test_a_batch_is_freed_before_the_next_is_read(self):
        class Watched(io.BytesIO):
            alive = []

            def readline(self, *_):
                Watched.alive.append([record() for record in records])
                return super().readline()

        class Weak(Recorder):
            def process_records(self, given):
                records.extend(weakref.ref(record) for record in given.records)

        class Reference(Record):
            __slots__ = ("__weakref__",)

        records = []
        with unittest.mock.patch("kinesis_multilang.Record", Reference):
            KCLProcess(Weak(), Watched(lines(PROCESS, PROCESS).encode()), io.BytesIO()).run()
        self.assertEqual(Watched.alive, [[], [None], [None, None]])

    def test_an_unknown_action_is_logged_and_not_answered(self):
        answers, errors = run(Recorder(), {"action": "hello"}, {"action": "leaseLost"})
        self.assertEqual(answers, [status("leaseLost")])
        self.assertIn("'hello'", errors)

    def test_an_exception_of_the_processor_is_not_swallowed(self):
        class Broken(Recorder):
            def process_records(self, process_records_input):
                raise ValueError("no such word")

        output = io.StringIO()
        with self.assertRaisesRegex(ValueError, "no such word"):
            KCLProcess(Broken(), io.StringIO(lines(INITIALIZE, PROCESS)), output).run()
        self.assertEqual([json.loads(line) for line in output.getvalue().split()], [status("initialize")])

    def test_a_processor_for_an_older_version_is_refused(self):
        class Old:
            def initialize(self, _):
                pass

            def process_records(self, _):
                pass

            def shutdown(self, _):
                pass

        with self.assertRaisesRegex(TypeError, "Old has no method lease_lost"):
            KCLProcess(Old(), io.StringIO(), io.StringIO())

    def test_async_methods_run_to_completion(self):
        class Async(Recorder):
            def __init__(self):
                super().__init__()
                self.words = []

            async def process_records(self, process_records_input):
                await asyncio.sleep(0)
                self.words += [r.binary_data for r in process_records_input.records]
                process_records_input.checkpointer.checkpoint()
                asyncio.ensure_future(asyncio.sleep(3600))

        processor = Async()
        answers, _ = run(processor, PROCESS, ack(), PROCESS, ack(), {"action": "leaseLost"})
        self.assertEqual(len(processor.words), 2)
        self.assertEqual([a["action"] for a in answers], ["checkpoint", "status"] * 2 + ["status"])

    def test_the_names_of_amazon_kclpy_are_there(self):
        from kinesis_multilang import kcl, processor

        self.assertIs(kcl.KCLProcess, KCLProcess)
        self.assertIs(kcl.CheckpointError, CheckpointError)
        self.assertIs(processor.RecordProcessorBase, RecordProcessorBase)


class CheckpointTest(unittest.TestCase):
    def checkpoint(self, answers, *arguments):
        output = io.StringIO()
        waits = []
        source = io.StringIO(lines(*answers))
        checkpointer = Checkpointer(kinesis_multilang._Lines(source, output), waits.append)
        try:
            checkpointer.checkpoint(*arguments)
        finally:
            self.requests = [json.loads(line) for line in output.getvalue().splitlines()]
            self.waits = waits

    def test_without_arguments_requests_all_that_was_delivered(self):
        self.checkpoint([ack()])
        request = {"action": "checkpoint", "sequenceNumber": None, "subSequenceNumber": None}
        self.assertEqual(self.requests, [request])

    def test_with_a_position_requests_it(self):
        self.checkpoint([ack()], "123", 4)
        request = {"action": "checkpoint", "sequenceNumber": "123", "subSequenceNumber": 4}
        self.assertEqual(self.requests, [request])

    def test_retries_errors_that_a_retry_can_resolve(self):
        errors = ["ThrottlingException", "KinesisClientLibDependencyException"]
        self.checkpoint([*map(ack, errors), ack()])
        self.assertEqual(len(self.requests), 3)
        self.assertEqual(len(self.waits), 2)
        self.assertTrue(0.1 <= self.waits[0] <= 0.2 <= self.waits[1] <= 0.4, self.waits)

    def test_stops_after_all_attempts(self):
        with self.assertRaises(CheckpointError) as raised:
            self.checkpoint([ack("ThrottlingException")] * 20)
        self.assertEqual(raised.exception.value, "ThrottlingException")
        self.assertEqual(len(self.requests), kinesis_multilang.CHECKPOINT_ATTEMPTS)
        self.assertTrue(max(self.waits) <= kinesis_multilang.LONGEST_WAIT_SECONDS)

    def test_does_not_retry_other_errors(self):
        cases = [
            ([ack("ShutdownException")], "ShutdownException"),
            ([ack("IllegalArgumentException")], "IllegalArgumentException"),
            ([{"action": "leaseLost"}], "InvalidStateException"),
            ([], "ShutdownException"),
        ]
        for answers, value in cases:
            with self.subTest(value), self.assertRaises(CheckpointError) as raised:
                self.checkpoint(answers)
            self.assertEqual(raised.exception.value, value)
            self.assertEqual(len(self.requests), 1)


NOISY = """
import os, subprocess, sys
sys.path.insert(0, {here!r})
sys.stdout.write("before, no end of line")
sys.stdout.flush()
from kinesis_multilang import KCLProcess, RecordProcessorBase
class Noisy(RecordProcessorBase):
    def process_records(self, given):
        print("from print")
        print("nothing on fd 0:", os.path.samestat(os.fstat(0), os.stat(os.devnull)))
        os.write(1, b"from fd 1\\n")
        subprocess.check_call([sys.executable, "-c", "import sys; print('from a child', repr(sys.stdin.read()))"])
        if given.millis_behind_latest == 99: raise RuntimeError("a bug")
KCLProcess(Noisy()).run()
"""


class ProcessTest(unittest.TestCase):
    def start(self, messages, script=None, **options):
        command = [sys.executable, script] if script else [sys.executable, "-c", NOISY.format(here=HERE)]
        return subprocess.run(
            command, input=lines(*messages).encode(), capture_output=True, timeout=50, **options
        )

    def test_only_the_protocol_reaches_stdout(self):
        ended = self.start([INITIALIZE, PROCESS])
        self.assertEqual(ended.returncode, 0, ended.stderr)
        out = ended.stdout.decode().splitlines()
        self.assertEqual(out[0], "before, no end of line")
        answers = [json.loads(line) for line in out[1:] if line]
        self.assertEqual(answers, [status("initialize"), status("processRecords")])
        for text in ["from print", "from fd 1", "from a child ''", "nothing on fd 0: True"]:
            self.assertIn(text, ended.stderr.decode())

    def test_a_bug_ends_the_process_with_its_traceback(self):
        ended = self.start([INITIALIZE, {**PROCESS, "millisBehindLatest": 99}])
        self.assertEqual(ended.returncode, 1)
        self.assertIn("RuntimeError: a bug", ended.stderr.decode())
        self.assertNotIn("processRecords", ended.stdout.decode())

    def test_exits_without_an_error_when_the_host_is_gone(self):
        process = subprocess.Popen(
            [sys.executable, "-c", NOISY.format(here=HERE)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        process.stdin.write(lines(INITIALIZE).encode())
        process.stdin.flush()
        while b"initialize" not in process.stdout.readline():
            pass
        process.stdout.close()
        _, errors = process.communicate(lines(PROCESS).encode(), timeout=50)
        self.assertIn("the host has closed the pipe", errors.decode())
        self.assertNotIn("Traceback", errors.decode())

    def test_word_count_continues_from_its_checkpoint(self):
        script = os.path.join(HERE, "sample", "word_count.py")
        with tempfile.TemporaryDirectory() as directory:
            environment = {**os.environ, "WORD_COUNT_DIR": directory}
            path = os.path.join(directory, "shardId-000000000003.json")
            for sequence_number, count in [("TRIM_HORIZON", 2), ("4959", 4), ("TRIM_HORIZON", 2)]:
                ended = self.start(
                    [
                        {**INITIALIZE, "sequenceNumber": sequence_number},
                        {**PROCESS, "records": [RECORD, RECORD]},
                        ack(),
                        {"action": "shutdownRequested"},
                        ack(),
                        {"action": "leaseLost"},
                    ],
                    script,
                    env=environment,
                )
                self.assertEqual(ended.returncode, 0, ended.stderr)
                with open(path, encoding="utf-8") as file:
                    self.assertEqual(json.load(file), {"caté": count})
            self.assertEqual(os.listdir(directory), ["shardId-000000000003.json"])


if __name__ == "__main__":
    unittest.main()
