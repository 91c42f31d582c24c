// Opens Kinesis records with the published aws-kinesis-agg: a line of base64 in, one line of JSON out.
const { createInterface } = require("node:readline");
const { deaggregateSync } = require("aws-kinesis-agg");

createInterface({ input: process.stdin }).on("line", (data) => {
  const record = { kinesisSchemaVersion: "1.0", partitionKey: "a", sequenceNumber: "1", data };
  deaggregateSync(record, true, (error, records) => {
    if (error) throw new Error(String(error));
    console.log(JSON.stringify(records.map((each) => [each.partitionKey, each.data])));
  });
});
