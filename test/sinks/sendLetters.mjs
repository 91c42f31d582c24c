// Sends a dead letter to each destination that is given, as a daemon that assumes a role.
//
//   node sendLetters.mjs ROLE_ARN DESTINATION…
import { openDestination } from "../../.cache/js/sinks/openDestination.js";

const [roleArn, ...places] = process.argv.slice(2);
const role = { type: "assumeRole", roleArn, roleSessionName: "test" };
const service = { region: "us-east-1", credentials: [role] };
const settings = { services: { kinesis: service, dynamodb: service, cloudwatch: service } };
const letter = {
  version: 1,
  streamName: "words",
  shardId: "shardId-000000000000",
  sequenceNumber: "1",
  subSequenceNumber: 0,
  partitionKey: "key",
  approximateArrivalTimestamp: 0,
  attempts: 1,
  buriedAt: "2026-01-01T00:00:00.000Z",
  cause: { reason: "exit", lastStderr: [] },
  data: "",
};
for (const place of places) {
  const destination = await openDestination(place, { settings, emit: () => {} });
  await destination.send([letter], new AbortController().signal);
  destination.close();
}
