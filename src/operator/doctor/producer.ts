// The checks of a producer: what it needs on this machine, of the stream, and of IAM.

import { access, constants } from "node:fs/promises";
import { PutRecordsCommand } from "@aws-sdk/client-kinesis";
import { kinesisClient } from "../../aws/kinesisClient.ts";
import { limited } from "../../aws/limited.ts";
import { type AwsOptions, awsOptions } from "../../aws/options.ts";
import { systemClock } from "../../clock.ts";
import { type LoadedProducer, loadProducer } from "../../config/producer/loadProducer.ts";
import { useProxy } from "../../config/producer/proxy.ts";
import { UserError } from "../../model/errors.ts";
import { counted } from "../../plural.ts";
import type { CallOptions } from "../../stream/calls/kinesisCalls.ts";
import { kindOfReadError } from "../../stream/calls/readErrors.ts";
import { PRODUCER_ACTIONS } from "../producerPolicy.ts";
import { quietSdk } from "../target.ts";
import { ClockSkew } from "./clockSkew.ts";
import { errorText, type Finding, failed, notChecked, ok, warning } from "./finding.ts";
import { checkCredentials } from "./identity.ts";
import { judged, loadedOr } from "./local.ts";
import { checkStream, type StreamCheck } from "./stream.ts";

const REQUEST_TIMEOUT_MS = 10_000;
const PERMISSIONS = PRODUCER_ACTIONS.map((action) => `permission ${action}`);
const AFTER_REGION = ["stream", ...PERMISSIONS, "clock"];
/** One more than the largest hash key: Kinesis refuses it, after IAM has allowed the call. */
const NO_HASH_KEY = String(2n ** 128n);

/** Yields the findings in a fixed order, each as soon as it is known. */
export async function* examineProducer(file: string, signal: AbortSignal): AsyncIterable<Finding> {
  quietSdk();
  const { finding, loaded } = checkProperties(file);
  yield finding;
  if (!loaded) {
    for (const check of ["spill directory", "credentials", "region", ...AFTER_REGION]) {
      yield notChecked(check, "the properties file has errors");
    }
    return;
  }
  useProxy(loaded.values, process.env);
  yield await checkSpill(loaded.values.spill);
  const { service } = loaded;
  const region = await checkRegion(loaded);
  const services = { kinesis: service, dynamodb: service, cloudwatch: service };
  const credentials = await checkCredentials({ services }, region.options?.region, signal);
  yield* credentials;
  yield region.finding;
  const hasFailed = credentials.some(({ verdict }) => verdict === "failed");
  const why = hasFailed ? "there are no credentials that AWS accepts" : "no region is configured";
  if (region.options === undefined || hasFailed) {
    for (const check of AFTER_REGION) yield notChecked(check, why);
    return;
  }
  yield* examineService(loaded, region.options, signal);
}

async function* examineService(
  { values: { streamName } }: LoadedProducer,
  options: AwsOptions,
  signal: AbortSignal,
): AsyncIterable<Finding> {
  if (streamName === undefined) {
    const why = "the file names no stream; set streamName, and each record may still name another";
    for (const check of AFTER_REGION) yield notChecked(check, why);
    return;
  }
  const client = kinesisClient({ ...options, maxAttempts: 2 });
  const clock = new ClockSkew();
  client.middlewareStack.add((next) => (args) => clock.timed(() => next(args)), {
    step: "deserialize",
    priority: "low",
  });
  try {
    const calls = { client, clock: systemClock, requestTimeoutMs: REQUEST_TIMEOUT_MS };
    const latest = { initialPosition: { type: "LATEST" } } as const;
    const stream = await checkStream(latest, { streamName }, calls, signal);
    yield stream.finding;
    yield* await checkPermissions(stream, streamName, calls, signal);
    yield clock.check();
  } finally {
    client.destroy();
  }
}

function checkProperties(file: string): { finding: Finding; loaded?: LoadedProducer } {
  return loadedOr(() => {
    const loaded = loadProducer({ file });
    const { values, sources, warnings } = loaded;
    const { streamName, ordering, spill } = values;
    const stream =
      streamName === undefined ? "each record names its stream" : `stream ${streamName}`;
    const order = ordering === "key" ? "order kept per key" : "no order";
    const disk = spill === undefined ? "in memory" : "on disk";
    const what = `${stream}, ${order}, accepted records ${disk}`;
    const summary = `${file}: ${counted(sources.size, "setting")} of a producer; ${what}`;
    return { finding: judged(summary, warnings), loaded };
  });
}

async function checkSpill(folder: string | undefined): Promise<Finding> {
  const check = "spill directory";
  if (folder === undefined) return ok(check, "not used: a crash loses what is in memory");
  try {
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    return ok(check, `${folder} can be written`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT")
      return ok(check, `${folder} does not exist yet; the producer creates it`);
    return failed(
      check,
      `${folder} cannot be written (${code})`,
      "Let the user of the producer write it, or name another directory with spill.",
    );
  }
}

async function checkRegion({
  service,
}: LoadedProducer): Promise<{ readonly finding: Finding; readonly options?: AwsOptions }> {
  try {
    const options = await awsOptions({ services: { kinesis: service } }, "kinesis");
    const { region, endpoint } = options;
    const place = endpoint === undefined ? region : `${region} at ${endpoint}`;
    return { finding: ok("region", `Kinesis ${place}`), options };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const remedy = "Set Region in the properties file, or AWS_REGION.";
    return { finding: failed("region", error.message, remedy) };
  }
}

async function checkPermissions(
  { facts, listed, described }: StreamCheck,
  streamName: string,
  calls: CallOptions,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  if (!facts) {
    const why = "the stream does not exist or cannot be reached";
    return PERMISSIONS.map((check) => notChecked(check, why));
  }
  const put = await putNothing(streamName, calls, signal).catch((error: unknown) => error);
  return [
    permission("kinesis:PutRecords", put),
    permission("kinesis:ListShards", listed, NO_LISTING),
    permission("kinesis:DescribeStreamSummary", described, NO_SUMMARY),
  ];
}

const NO_LISTING = "Without it, the producer works, but cannot aggregate records.";
const NO_SUMMARY =
  "Without it, the producer works, but learns only from refusals how large a record may be.";

/** @param without what the producer does without the permission; absent: nothing. */
function permission(action: string, error: unknown, without?: string): Finding {
  const check = `permission ${action}`;
  if (error === undefined) return ok(check, "allowed");
  const allow = `Allow ${action}. iam-policy -p FILE prints the whole policy.`;
  if (kindOfReadError(error) === "denied") {
    const message = `denied (${errorText(error)})`;
    return without === undefined
      ? failed(check, message, allow)
      : warning(check, `${message}. ${without}`, allow);
  }
  const message = `unknown, because the test call failed for another reason (${errorText(error)})`;
  return warning(check, message, "Run the doctor again.");
}

/** A record that Kinesis cannot accept. */
async function putNothing(streamName: string, calls: CallOptions, signal: AbortSignal) {
  const record = { Data: new Uint8Array(1), PartitionKey: "doctor", ExplicitHashKey: NO_HASH_KEY };
  const command = new PutRecordsCommand({ StreamName: streamName, Records: [record] });
  const refused = ["InvalidArgumentException", "ValidationException"];
  try {
    await limited(calls, "PutRecords", signal, (abortSignal) =>
      calls.client.send(command, { abortSignal }),
    );
  } catch (error) {
    if (!(error instanceof Error && refused.includes(error.name))) throw error;
  }
}
