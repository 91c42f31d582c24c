"""Run with: python3 -m unittest (in this folder)."""

import io
import json
import os
import subprocess
import sys
import tempfile
import unittest

from kinesis_multilang import KCLProcess
from kinesis_multilang_lambda import InvocationError, LambdaProcessor

HERE = os.path.dirname(os.path.abspath(__file__))


def record(sequence_number, sub_sequence_number=0):
    return {
        "data": "Y2F0",
        "partitionKey": "key",
        "sequenceNumber": sequence_number,
        "approximateArrivalTimestamp": 1545084650987,
        "subSequenceNumber": sub_sequence_number,
        "action": "record",
    }


INITIALIZE = {
    "action": "initialize",
    "shardId": "shardId-000000000006",
    "sequenceNumber": "LATEST",
    "subSequenceNumber": 0,
}


def process(*records):
    return {"action": "processRecords", "records": list(records), "millisBehindLatest": 0}


THREE = process(record("1"), record("2"), record("3"))
ACK = {"action": "checkpoint", "sequenceNumber": None, "subSequenceNumber": None, "error": None}


def checkpoint(sequence_number=None, sub_sequence_number=None):
    return {
        "action": "checkpoint",
        "sequenceNumber": sequence_number,
        "subSequenceNumber": sub_sequence_number,
    }


def status(action):
    return {"action": "status", "responseFor": action}


SUCCESS = [status("initialize"), checkpoint(), status("processRecords")]


def play(handler, *messages, **options):
    """What was written, and what was raised."""
    text = "".join(json.dumps(message) + "\n" for message in messages)
    output = io.StringIO()
    raised = None
    try:
        KCLProcess(LambdaProcessor(handler, **options), io.StringIO(text), output, io.StringIO()).run()
    except Exception as error:  # pylint: disable=broad-except
        raised = error
    return [json.loads(line) for line in output.getvalue().splitlines() if line], raised


def failing(*identifiers):
    return lambda event, context: {"batchItemFailures": [{"itemIdentifier": each} for each in identifiers]}


class LambdaTest(unittest.TestCase):
    def test_the_event_has_the_documented_shape(self):
        events = []
        arn = "arn:aws:kinesis:eu-west-1:123456789012:stream/words"
        play(lambda event, _: events.append(event), INITIALIZE, process(record("49")), ACK, stream_arn=arn)
        wanted = {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": "key",
                "sequenceNumber": "49",
                "data": "Y2F0",
                "approximateArrivalTimestamp": 1545084650.987,
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": "shardId-000000000006:49",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": "arn:aws:iam::000000000000:role/kinesis-multilang",
            "awsRegion": "eu-west-1",
            "eventSourceARN": arn,
        }
        self.assertEqual(events, [{"Records": [wanted]}])

    def test_the_context_has_the_remaining_time_and_a_new_request_id(self):
        seen = []
        play(lambda _, context: seen.append(context), INITIALIZE, THREE, ACK, batch_size=2, timeout_seconds=60)
        self.assertEqual(len({context.aws_request_id for context in seen}), 2)
        for context in seen:
            self.assertTrue(0 < context.get_remaining_time_in_millis() <= 60_000)

    def test_success_checkpoints_the_whole_batch(self):
        for response in (None, "ok", {}, {"batchItemFailures": []}, {"batchItemFailures": None}):
            with self.subTest(response=response):
                written, raised = play(lambda event, context: response, INITIALIZE, THREE, ACK)
                self.assertEqual((written, raised), (SUCCESS, None))

    def test_an_empty_batch_is_no_invocation(self):
        written, raised = play(failing("1"), INITIALIZE, process())
        self.assertEqual((written, raised), ([status("initialize"), status("processRecords")], None))

    def test_an_exception_ends_the_process(self):
        def handler(event, context):
            raise KeyError("no")

        written, raised = play(handler, INITIALIZE, THREE)
        self.assertIsInstance(raised, KeyError)
        self.assertEqual(written, [status("initialize")])

    def test_the_lowest_failed_item_is_delivered_again(self):
        written, raised = play(failing("3", "2"), INITIALIZE, THREE, ACK)
        self.assertIsInstance(raised, InvocationError)
        self.assertIn("will be delivered again from 2", str(raised))
        self.assertEqual(written, [status("initialize"), checkpoint("1", 0)])

    def test_the_records_of_an_aggregate_stay_together(self):
        batch = process(record("1", 0), record("1", 1), record("2", 0), record("2", 1))
        written, _ = play(failing("2"), INITIALIZE, batch, ACK)
        self.assertEqual(written[1], checkpoint("1", 1))

    def test_failures_that_mean_the_whole_batch(self):
        items = ([{"itemIdentifier": each}] for each in ("1", "9", "", None))
        for failures in (*items, [{}], [None], "2"):
            with self.subTest(failures=failures):
                written, raised = play(lambda *_: {"batchItemFailures": failures}, INITIALIZE, THREE)
                self.assertIsInstance(raised, InvocationError)
                self.assertEqual(written, [status("initialize")])

    def test_a_failure_in_a_later_part_keeps_the_parts_before_it(self):
        def handler(event, context):
            if event["Records"][0]["kinesis"]["sequenceNumber"] == "3":
                raise ValueError("no")

        written, _ = play(handler, INITIALIZE, THREE, ACK, batch_size=2)
        self.assertEqual(written, [status("initialize"), checkpoint("2", 0)])

    def test_a_lost_lease_is_not_a_failure_of_the_function(self):
        lost = {**ACK, "error": "ShutdownException"}
        written, raised = play(lambda *_: None, INITIALIZE, THREE, lost, {"action": "leaseLost"})
        self.assertEqual((written, raised), (SUCCESS + [status("leaseLost")], None))

    def test_shard_end_and_requested_shutdown_checkpoint(self):
        for action in ("shardEnded", "shutdownRequested"):
            written, _ = play(lambda *_: None, INITIALIZE, {"action": action}, ACK)
            self.assertEqual(written, [status("initialize"), checkpoint(), status(action)])


class ProgramTest(unittest.TestCase):
    def run_file(self, source, *messages, arguments=("index.handler",)):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "index.py"), "w", encoding="utf-8") as file:
                file.write(source)
            return subprocess.run(
                [sys.executable, "-m", "kinesis_multilang_lambda", *arguments],
                cwd=folder,
                input="".join(json.dumps(message) + "\n" for message in messages),
                capture_output=True,
                text=True,
                env={**os.environ, "PYTHONPATH": HERE, "PYTHONDONTWRITEBYTECODE": "1"},
                check=False,
            )

    def test_prints_stay_off_stdout(self):
        source = "print('loading')\ndef handler(event, context):\n    print(len(event['Records']))\n"
        ended = self.run_file(source, INITIALIZE, THREE, ACK)
        written = [json.loads(line) for line in ended.stdout.splitlines() if line]
        self.assertEqual((ended.returncode, written), (0, SUCCESS))
        self.assertIn("loading\n3", ended.stderr)

    def test_a_function_that_takes_too_long_ends_the_process(self):
        source = "import time\ndef handler(event, context):\n    time.sleep(20)\n"
        ended = self.run_file(source, INITIALIZE, THREE, arguments=("--timeout", "0.05", "index.handler"))
        self.assertEqual(ended.returncode, 1)
        self.assertIn("no answer within 0.05 s", ended.stderr)

    def test_the_error_for_a_missing_function_names_it(self):
        names = {"other.handler": "other", "index.other": "no function other", "handler": "module.function"}
        for name, words in names.items():
            ended = self.run_file("def handler(event, context): pass\n", INITIALIZE, arguments=(name,))
            self.assertEqual(ended.returncode, 1)
            self.assertIn(words, ended.stderr)


if __name__ == "__main__":
    unittest.main()
