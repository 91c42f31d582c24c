// No secret leaves the process in its log, whatever field of whatever event it is in.

import { inspect } from "node:util";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Event } from "../../src/events.ts";
import { logEvents } from "../../src/listeners/log.ts";
import type { Position } from "../../src/model/position.ts";
import { neverShow, redact } from "../../src/redact.ts";

/** Stands in each field that holds free text; the tests replace it. */
const TEXT = "free text";
const failure = () => new Error(TEXT, { cause: new Error(TEXT) });
const position: Position = { sequenceNumber: "TRIM_HORIZON", subSequenceNumber: 0 };
const child = { shardId: TEXT, pid: 1 };
const call = { elapsedMs: 1, bytes: 1 };
const retry = { error: failure(), attempt: 1, retryInMs: 1 };
const range = { records: 1, first: position, last: position };

/** One of each type, with every field that it may have. */
const EVENTS: { readonly [Type in Event["type"]]: Omit<Extract<Event, { type: Type }>, "type"> } = {
  daemonStarted: { applicationName: TEXT, streamName: TEXT, workerId: TEXT, version: TEXT },
  statusServed: { address: TEXT },
  logLevelChanged: { level: TEXT, component: TEXT },
  daemonReady: {},
  stopRequested: { reason: TEXT, graceMs: 1 },
  graceExceeded: { graceMs: 1 },
  daemonStopped: { exitCode: 0, goodbyesMissed: 0 },
  daemonFailed: { error: failure(), graceMs: 1 },
  applicationFailed: { error: failure(), graceMs: 1 },
  drainRequested: { reason: TEXT },
  drained: {},
  resumed: { reason: TEXT },
  configWarning: { message: TEXT },
  configNotice: { message: TEXT },
  waitingForStream: { message: TEXT },
  eventLoopHeld: { endangers: "leases", longestMs: 1, p99Ms: 1, periodMs: 1 },
  metricsTrouble: { error: failure(), attempt: 1, dropped: 1 },
  metricsRecovered: { attempts: 1 },
  credentialsRenewed: { why: TEXT },
  credentialsTrouble: { error: failure(), validForMs: 0 },
  serviceTrouble: {
    service: "kinesis",
    operation: TEXT,
    scope: TEXT,
    shardId: TEXT,
    lasting: true,
    ...retry,
  },
  serviceRecovered: {
    service: "kinesis",
    operation: TEXT,
    scope: TEXT,
    shardId: TEXT,
    attempts: 1,
  },
  serviceCall: { service: TEXT, operation: TEXT, shardId: TEXT, ...call, outcome: "ok" },
  leaseCall: { operation: "renew", shardId: TEXT, ...call, outcome: "ok" },
  daemonSampled: {
    cpuMs: 1,
    rssBytes: 1,
    heapBytes: 1,
    loopBusy: 0,
    loopDelayMs: 0,
    bufferedBytes: 0,
    bufferLimitBytes: 1,
  },
  childSampled: { ...child, cpuMs: 1, rssBytes: 1 },
  leaseTableCreated: { tableName: TEXT },
  leasesSeen: { leases: 1, rows: () => [] },
  leaseCreated: { shardId: TEXT, checkpoint: position },
  leaseTaken: { shardId: TEXT, how: "stolen", from: TEXT },
  leaseRenewed: { shardId: TEXT },
  leaseLost: { shardId: TEXT, reason: TEXT },
  leaseReleased: { shardId: TEXT, to: TEXT },
  handoverRequested: { shardId: TEXT, to: TEXT },
  leaseDeleted: { shardId: TEXT, reason: TEXT },
  leasesBeyondLimit: { shardIds: [TEXT], maxLeasesForWorker: 1 },
  leaseBalance: {
    held: 1,
    target: 1,
    spillover: 0,
    workers: 1,
    leases: 1,
    expired: 0,
    unowned: 0,
    neglected: 0,
    taking: 0,
  },
  otherStreamSeen: { streamId: TEXT, leases: 1 },
  leasesContradicted: { shardIds: [TEXT], message: TEXT },
  shardsUnread: { shardIds: [TEXT], fromHashKey: TEXT, toHashKey: TEXT },
  fleetModeChosen: { version: "2x", led: false, found: TEXT },
  discoveryChosen: { by: "scan", why: TEXT },
  shardsSynced: { shards: 1, created: 1 },
  fetched: { shardId: TEXT, records: 1, bytes: 1, payloadBytes: 1, millisBehindLatest: 1 },
  iteratorExpired: { shardId: TEXT },
  recordsExpired: { shardId: TEXT, checkpoint: position, first: position },
  shardExpired: { shardId: TEXT },
  fanoutConsumerFound: { consumerName: TEXT, arn: TEXT, registered: true },
  readingThrottledByBudget: { shardIds: [TEXT], forMs: 1, limitBytes: 1, enoughBytes: 2 },
  fanoutEmulated: { arn: TEXT },
  fanoutRefused: { error: failure() },
  subscribed: { shardId: TEXT },
  aggregateMisplaced: { shardId: TEXT, sequenceNumber: TEXT, records: 1, kept: true },
  aggregateMalformed: { shardId: TEXT, sequenceNumber: TEXT, delivered: 1, reason: TEXT },
  shardMapLoaded: { streamName: TEXT, shards: 1 },
  shardMapFailed: { streamName: TEXT, error: failure(), retryInMs: 1 },
  putThrottled: { streamName: TEXT, shardId: TEXT, records: 1, ratePercent: 1 },
  putCallFailed: {
    streamName: TEXT,
    errorCode: TEXT,
    errorMessage: TEXT,
    records: 1,
    maybeStored: true,
  },
  putRefused: {
    streamName: TEXT,
    errorCode: TEXT,
    errorMessage: TEXT,
    records: 1,
    retryInMs: 1,
  },
  spillRecovered: { records: 1 },
  spillTornTail: { file: TEXT, bytes: 1 },
  clientLost: { unreported: 1 },
  clientFailed: { error: failure() },
  producerListening: { address: TEXT },
  producerMetricsServed: { address: TEXT },
  producerClosed: { stored: 1, failed: 1, notStored: 1 },
  aggregateStraddles: { streamName: TEXT, predicted: TEXT, actual: TEXT, records: 1 },
  childStarted: { ...child, argv: [TEXT] },
  waitingForAttachment: { shardId: TEXT, address: TEXT, before: 1 },
  attached: { shardId: TEXT, address: TEXT },
  detached: { shardId: TEXT, address: TEXT, expected: false },
  childOutput: { ...child, stream: "stderr", line: TEXT },
  childLog: { ...child, level: "info", message: TEXT },
  answerOwed: { ...child, action: TEXT, elapsedMs: 1 },
  protocolWarning: { ...child, message: TEXT },
  dialectChanged: { shardId: TEXT, to: "kcl1", sign: TEXT },
  checkpointTrouble: { ...child, error: failure() },
  childExited: { ...child, exitCode: 1, signal: TEXT, expected: false },
  childOutputDropped: { ...child, stream: "stderr", lines: 1 },
  watchdogEnded: { reason: TEXT, replaced: true },
  waitingForParents: { shardId: TEXT },
  lanesStarted: { shardId: TEXT, lanes: 1 },
  lanesChanged: { shardId: TEXT, from: 1, to: 2, busy: 1, behindMs: 1 },
  laneCheckpointed: { shardId: TEXT, position },
  laneHoldsBack: { shardId: TEXT, aheadBytes: 1, limitBytes: 1, waitedMs: 1 },
  shardStarted: { shardId: TEXT, position, elapsedMs: 1 },
  batchSent: { ...child, records: 1, bytes: 1, millisBehindLatest: 1, arrivedMs: 1, sentMs: 1 },
  batchProcessed: {
    ...child,
    records: 1,
    bytes: 1,
    position,
    millisBehindLatest: 1,
    elapsedMs: 1,
  },
  checkpointed: { shardId: TEXT, position },
  checkpointRefused: { shardId: TEXT, error: TEXT, message: TEXT },
  childFailed: {
    shardId: TEXT,
    attempt: 1,
    error: failure(),
    cause: TEXT,
    ...range,
    next: "restart",
    retryInMs: 1,
  },
  childRestartRequested: { shardId: TEXT },
  shardStuck: { shardId: TEXT, waitingFor: "records", step: "restartFetcher", quietMs: 1 },
  childSlow: { ...child, elapsedMs: 1 },
  recordsBuried: { shardId: TEXT, ...range, condition: "attempts" },
  destinationTrouble: { shardId: TEXT, ...retry },
  shardStopped: { shardId: TEXT, reason: "failed", elapsedMs: 1 },
};

/** The value with another text in each place that has one. */
function planted(value: unknown, text: string): unknown {
  if (value === TEXT) return text;
  if (Array.isArray(value)) return value.map((one) => planted(one, text));
  if (value instanceof Error) {
    const error = new Error(text, value.cause ? { cause: planted(value.cause, text) } : {});
    error.name = text;
    return error;
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, planted(one, text)]));
}

function logged(event: Event, format: "json" | "text"): string {
  let log = "";
  const write = (line: string) => {
    log += line;
  };
  logEvents({ level: "trace", format, now: () => 0, write })(event);
  return log;
}

const characters = (text: string, minLength: number) =>
  fc.string({ unit: fc.constantFrom(...text), minLength, maxLength: 60 });
/** As AWS makes them. */
const token = characters("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=", 16);
const password = characters("abcXYZ019@:!$&'()*+,;=%-._~<>{}[]^`|\\", 8);

/** A text with a secret in it, in one of the ways in which secrets come. */
const secretText = fc.oneof(
  // One that we use ourselves may stand anywhere.
  fc.tuple(token, characters('ab "\n\\', 0), characters('cd "\n\\', 0)).map(([secret, a, b]) => {
    neverShow(secret);
    return { secret, text: `${a}${secret}${b}` };
  }),
  fc
    .tuple(
      token,
      fc.constantFrom(
        (secret: string) => `'POST\n/\n\nx-amz-security-token:${secret}\n\nhost'`,
        (secret: string) => `Authorization: AWS4-HMAC-SHA256 Signature=${secret}`,
        (secret: string) => `{"SecretAccessKey":"${secret}","x":1}`,
        (secret: string) => JSON.stringify({ body: `{"SessionToken":"${secret}"}` }),
        (secret: string) => `<SessionToken>${secret}</SessionToken>`,
        (secret: string) => `AWS_SECRET_ACCESS_KEY=${secret} and more`,
        (secret: string) => `aws_session_token = ${secret}\n`,
        (secret: string) => `{ sessionToken: '${secret}' }`,
        (secret: string) => `https://h/?X-Amz-Security-Token=${secret}&x=1`,
      ),
    )
    .map(([secret, within]) => ({ secret, text: within(secret) })),
  fc
    .tuple(password, fc.constantFrom("postgres://me:", "see https://:", "x=redis://a.b:"))
    .map(([secret, before]) => ({ secret, text: `${before}${secret}@host/db after` })),
);

test.each(Object.keys(EVENTS) as Event["type"][])("%s shows no secret", (type) => {
  fc.assert(
    fc.property(secretText, fc.constantFrom("json", "text"), ({ secret, text }, format) => {
      // The table has the fields of its type.
      const event = planted({ type, ...EVENTS[type] }, text) as Event;
      const log = logged(event, format);
      expect(log).not.toBe("");
      expect(log).not.toContain(secret);
      expect(log).not.toContain(JSON.stringify(secret).slice(1, -1));
      if (format === "json") expect(JSON.parse(log)).toMatchObject({ event: type });
    }),
    { numRuns: 40 },
  );
});

test("a fatal error shows no secret", () => {
  fc.assert(
    fc.property(secretText, ({ secret, text }) => {
      const error = Object.assign(new Error(text, { cause: new Error(text) }), {
        $response: { body: text },
      });
      expect(redact(inspect(error))).not.toContain(secret);
    }),
  );
});

test.each([
  "see http://host:8080/path, or write to me@example.com",
  '{"url":"http://127.0.0.1:4567","mail":"me@example.com"}',
  "arn:aws:iam::123456789012:role/r",
  "the next token is 42, a signature follows",
  "kinesis GetRecords failed: ExpiredTokenException: The security token included in the request is expired",
])("what is no secret stays: %s", (text) => {
  expect(redact(text)).toBe(text);
});
