"""The minimum for reading batches in Python, without a client: the standard library's lines, JSON
and base64. It answers every message, and cannot do anything else."""

import binascii
import json
import sys

for line in sys.stdin.buffer:
    message = json.loads(line)
    for record in message.get("records", ()):
        binascii.a2b_base64(record["data"])
    print(json.dumps({"action": "status", "responseFor": message["action"]}), flush=True)
