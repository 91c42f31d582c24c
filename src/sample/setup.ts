// Everything that the sample needs before the first word: services, a stream, a folder for the
// counts, and the daemon.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "../clock.ts";
import { LOCAL_CREDENTIALS, LOCAL_REGION, startDynamo, startKinesis } from "../local/services.ts";
import { byConnector, byProcessors, type ConnectTarget, type Counting } from "./counting.ts";
import { type DaemonProcess, startDaemon } from "./daemonProcess.ts";
import { startProducerProgram } from "./producerProgram.ts";
import { Progress } from "./progress.ts";
import type { Scope } from "./scope.ts";
import { WordStream } from "./wordStream.ts";

export const STREAM = "words";
/** Also the name of the lease table. */
export const APPLICATION = "word-count";

/** A daemon that does not stop gracefully within this time is ended. */
const STOP_LIMIT_MS = 20_000;

export interface Setup {
  readonly words: WordStream;
  readonly daemon: DaemonProcess;
  readonly progress: Progress;
  readonly counting: Counting;
  readonly dynamoUrl: string;
}

interface SetupOptions {
  readonly language: string;
  readonly shards: number;
  readonly http?: string;
  /** Put the words with the language's producer client. */
  readonly produce: boolean;
  /** The target that a connector writes the words to; processors count them when it is absent. */
  readonly connect?: ConnectTarget;
}

export async function setUp(
  options: SetupOptions,
  scope: Scope,
  clock: Clock,
  print: (line: string) => void,
): Promise<Setup> {
  const folder = await scope.use(mkdtemp(join(tmpdir(), "kinesis-multilang-")), (made) =>
    rm(made, { recursive: true, force: true }),
  );
  const { connect } = options;
  const what = connect === undefined ? `the ${options.language} sample` : "a connector";
  print(`Starting an embedded Kinesis and DynamoDB, and ${what}`);
  const [kinesis, dynamo, { language, ...counting }] = await Promise.all([
    scope.use(startKinesis(), (service) => service.stop()),
    scope.use(startDynamo(), (service) => service.stop()),
    connect === undefined ? byProcessors(options, folder) : byConnector(connect, folder),
  ]);
  const words = await scope.use(WordStream.create(STREAM, options.shards, kinesis.url), (made) =>
    made.close(),
  );
  const progress = new Progress();
  if (language?.producer) {
    const program = startProducerProgram({
      folder,
      executable: language.producer,
      args: ["--stream", STREAM, "--endpoint", kinesis.url, "--region", LOCAL_REGION],
      env: LOCAL_KEYS,
      onLine: (line) => progress.read(line),
    });
    words.useProducer(await scope.use(program, (made) => made.close()));
  }
  const starting = startDaemon({
    args: counting.daemonArgs,
    cwd: counting.cwd,
    env: {
      ...localServices(kinesis.url, dynamo.url),
      KINESIS_MULTILANG_APPLICATION_NAME: APPLICATION,
      KINESIS_MULTILANG_STREAM_NAME: STREAM,
      ...counting.env,
      ...(options.http !== undefined && { KINESIS_MULTILANG_HTTP_LISTEN: options.http }),
    },
    onLine: (line) => progress.read(line),
  });
  if (options.http !== undefined) print(`The status page is at http://${options.http}/`);
  const daemon = await scope.use(starting, (made) => endDaemon(made, clock));
  return { words, daemon, progress, counting, dynamoUrl: dynamo.url };
}

/**
 * Stops the daemon gracefully, and ends it when that takes too long or when `hurry` is aborted.
 *
 * @returns its exit code, or the signal that ended it.
 */
export async function endDaemon(
  daemon: DaemonProcess,
  clock: Clock,
  hurry?: AbortSignal,
): Promise<number | string> {
  const ended = new AbortController();
  const exit = daemon.ended.finally(() => ended.abort());
  daemon.terminate();
  const untilEnded = hurry ? AbortSignal.any([hurry, ended.signal]) : ended.signal;
  await clock.sleep(STOP_LIMIT_MS, untilEnded);
  if (!ended.signal.aborted) {
    daemon.terminate();
    await clock.sleep(STOP_LIMIT_MS / 4, ended.signal);
  }
  if (!ended.signal.aborted) daemon.kill();
  return exit;
}

function localServices(kinesisUrl: string, dynamoUrl: string): Record<string, string> {
  return {
    KINESIS_MULTILANG_KINESIS_ENDPOINT: kinesisUrl,
    KINESIS_MULTILANG_DYNAMO_DB_ENDPOINT: dynamoUrl,
    KINESIS_MULTILANG_REGION_NAME: LOCAL_REGION,
    ...LOCAL_KEYS,
  };
}

const LOCAL_KEYS = {
  AWS_ACCESS_KEY_ID: LOCAL_CREDENTIALS.accessKeyId,
  AWS_SECRET_ACCESS_KEY: LOCAL_CREDENTIALS.secretAccessKey,
};
