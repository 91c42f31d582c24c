"""Opens Kinesis records with the published aws_kinesis_agg: a line of base64 in, one line of JSON out."""
import base64
import json
import sys

from aws_kinesis_agg.deaggregator import deaggregate_records

for number, line in enumerate(sys.stdin):
    record = {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "a",
            "sequenceNumber": str(number),
            "data": line.strip(),
            "approximateArrivalTimestamp": 0,
        },
        "eventID": "shardId-000000000000:%d" % number,
    }
    opened = [each["kinesis"] for each in deaggregate_records([record])]
    text = lambda data: data.decode() if isinstance(data, bytes) else data
    print(json.dumps([[each["partitionKey"], text(each["data"])] for each in opened]))
