// Imports the SDK's two clients and makes one call with each. Writes its CPU time since its launch
// to STDOUT.
//
//   node clients.mjs KINESIS_URL DYNAMODB_URL
import { DynamoDBClient, GetItemCommand } from "@aws-sdk/client-dynamodb";
import { GetRecordsCommand, KinesisClient } from "@aws-sdk/client-kinesis";
import { NodeHttpHandler } from "@smithy/node-http-handler";

const [kinesisUrl, dynamoUrl] = process.argv.slice(2);
const common = {
  region: "us-east-1",
  credentials: { accessKeyId: "bench", secretAccessKey: "bench" },
  maxAttempts: 1,
};

/** The table and the iterator need not exist: an error response is enough. */
async function answered(sending) {
  await sending.catch((error) => {
    if (!error.$response && !error.$metadata?.httpStatusCode) throw error;
  });
}

const kinesis = new KinesisClient({
  ...common,
  endpoint: kinesisUrl,
  requestHandler: new NodeHttpHandler(),
});
const dynamo = new DynamoDBClient({ ...common, endpoint: dynamoUrl });
const Key = { leaseKey: { S: "shardId-000000000000" } };
await answered(kinesis.send(new GetRecordsCommand({ ShardIterator: "0/0/0" })));
await answered(dynamo.send(new GetItemCommand({ TableName: "bench", Key })));
const { user, system } = process.cpuUsage();
console.log(JSON.stringify({ cpu: (user + system) / 1e6 }));
kinesis.destroy();
dynamo.destroy();
