// Turns the written values into settings, and collects every problem and every warning on the way,
// so that the user sees all of them at once.

import { formatHttpAddress, isLocal } from "../model/httpAddress.ts";
import { parseCommand } from "./childCommand.ts";
import type { ConfigNotice, ConfigProblem, Source } from "./configError.ts";
import { parseCredentialsProviders } from "./credentialsProvider.ts";
import type { Gathered, Given } from "./given.ts";
import { initialPosition } from "./initialPosition.ts";
import { javaUnsets } from "./javaTypes.ts";
import { isKey, type Key, type KeyValues, keysSchema, POLLING_KEYS } from "./keys.ts";
import { isReadHere, letterStream } from "./ownStream.ts";
import { isSecretName, MASK, maskValue } from "./secrets.ts";
import { deriveSettings, type Settings } from "./settings.ts";
import { ANY_ACCOUNT } from "./streamArn.ts";
import { type ChosenStreams, chooseStreams } from "./streams.ts";

export class Validation {
  readonly problems: ConfigProblem[] = [];
  readonly notices: ConfigNotice[];
  readonly #given: ReadonlyMap<Key, Given>;
  readonly #ignored: ReadonlyMap<string, Given>;

  constructor({ given, ignored }: Gathered, notices: readonly ConfigNotice[]) {
    this.#given = given;
    this.#ignored = ignored;
    this.notices = [...notices];
  }

  /** `undefined` when a required key is missing or wrong; `problems` then says which. */
  settings(): Settings | undefined {
    const values = this.#values();
    const command = this.#command(values);
    const applicationName = this.#applicationName(values);
    const stream = this.#stream(values);
    const credentials = this.#credentials(values);
    const position = initialPosition(values, this.#given);
    if (position.problem) this.#refuse(position.problem.key, position.problem.message);
    if (position.notice) this.#warn(position.notice.key, position.notice.message);
    if (!command || !applicationName || !stream || !position.value) return undefined;
    this.#checkTableName(applicationName, values);
    this.#checkDeadLetters(values);
    this.#checkConsumer(stream, values);
    this.#checkHttp(values);
    const pollingKeyGiven = POLLING_KEYS.some((key) =>
      isKey(key) ? this.#given.has(key) : this.#ignored.has(key),
    );
    const adjusted = this.#adjusted(values);
    this.#checkOwnStream(stream, adjusted);
    return deriveSettings({
      values: adjusted,
      executableName: values.executableName ?? "",
      command,
      applicationName,
      ...stream,
      credentials,
      initialPosition: position.value,
      pollingKeyGiven,
    });
  }

  /** The values of all keys. Those that do not parse become problems and count as not set. */
  #values(): KeyValues {
    const texts: Partial<Record<Key, string>> = {};
    for (const [key, given] of this.#given) {
      // It refers to a variable or file that could not be read, which is already reported.
      if (this.#refused(key)) continue;
      if (javaUnsets(key, given.text)) {
        this.#warn(key, "0 means not set, as in Java: the default is used");
      } else {
        texts[key] = given.text;
      }
    }
    const parsed = keysSchema.safeParse(texts);
    if (parsed.success) return parsed.data;
    for (const { path, message } of parsed.error.issues) {
      const [key] = path;
      if (typeof key !== "string" || !isKey(key)) throw parsed.error;
      this.#refuse(key, `found ${shown(key, this.#given.get(key))}; allowed: ${message}`);
      delete texts[key];
    }
    return keysSchema.parse(texts);
  }

  #command({ executableName }: KeyValues) {
    const given = this.#given.get("executableName");
    if (this.#refused("executableName")) return undefined;
    if (executableName === undefined) {
      const how = given ? "is empty" : "is missing";
      this.#refuse("executableName", `${how}: the command that processes the records is required`);
      return undefined;
    }
    const command = parseCommand(executableName);
    if (typeof command !== "string") return command;
    this.#refuse("executableName", `found ${shown("executableName", given)}: ${command}`);
    return undefined;
  }

  #applicationName({ applicationName }: KeyValues): string | undefined {
    if (applicationName === undefined && !this.#refused("applicationName")) {
      this.#refuse("applicationName", "is missing: it names the lease table and is required");
    }
    return applicationName;
  }

  #stream(values: KeyValues): ChosenStreams | undefined {
    const { streams, problem, notice } = chooseStreams(values);
    if (notice !== undefined) this.#warn("streamName", notice);
    if (problem !== undefined && !this.#refused("streamName", "streamArn")) {
      this.#refuse("streamName", problem);
    }
    return streams;
  }

  #checkTableName(applicationName: string, { tableName }: KeyValues): void {
    if (tableName !== undefined || this.#refused("tableName")) return;
    const table = keysSchema.shape.tableName.safeParse(applicationName);
    if (table.success) return;
    const allowed = table.error.issues[0]?.message ?? "";
    this.#refuse("applicationName", `found "${applicationName}", used as ${allowed}`);
  }

  /**
   * Records are skipped only if they have a destination, and reach it only if they may be skipped.
   */
  #checkDeadLetters({ onFailureDestination, onChildFailure, ...values }: KeyValues): void {
    const limits = (["maximumRetryAttempts", "maximumRecordAgeInSeconds"] as const).filter(
      (key) => values[key] >= 0,
    );
    if (onFailureDestination === undefined && !this.#refused("onFailureDestination")) {
      for (const key of limits) {
        this.#refuse(
          key,
          "records would be skipped and lost: set onFailureDestination, which receives them (such as file:dead-letters.ndjson)",
        );
      }
    }
    if (onFailureDestination !== undefined && limits.length === 0) {
      this.#warn(
        "onFailureDestination",
        "records that make a child fail are never sent there, because they are retried without limit: set maximumRetryAttempts or maximumRecordAgeInSeconds",
      );
    }
    if (onFailureDestination !== undefined && onChildFailure !== "restart") {
      this.#warn(
        "onChildFailure",
        `${onChildFailure} takes effect at the first failure: records are not retried here, and none is sent to onFailureDestination`,
      );
    }
  }

  /** A dead letter that is read as a record would become a larger dead letter, and so on. */
  #checkOwnStream(stream: ChosenStreams, { onFailureDestination, ...values }: KeyValues): void {
    const written = letterStream(onFailureDestination);
    if (!written) return;
    const reading = {
      ...stream,
      streamArn: values.streamArn,
      region: values["kinesisClient.region"] ?? values.regionName,
      consumerArn: values["fanoutConfig.consumerArn"],
    };
    if (!isReadHere(written, reading)) return;
    this.#refuse(
      "onFailureDestination",
      `found "${onFailureDestination}", which is the stream that the daemon reads: dead letters would come back as records, fail again, and grow without end. Use another stream, a queue, a topic, a bucket or a file` +
        (written.region && !values.streamArn
          ? ". If it is a stream of the same name in another account or region, set streamArn to the one that is read"
          : ""),
    );
  }

  /** A consumer belongs to one stream. */
  #checkConsumer({ streams }: ChosenStreams, values: KeyValues): void {
    if (!streams || values["fanoutConfig.consumerArn"] === undefined) return;
    this.#refuse(
      "fanoutConfig.consumerArn",
      "is the consumer of one stream, and streamName names several: set fanoutConfig.consumerName, under which the daemon registers a consumer of each stream",
    );
  }

  /** What the page shows is not for everybody who reaches the machine. */
  #checkHttp({ httpListen, httpToken, httpAllowRemote }: KeyValues): void {
    if (!httpListen || isLocal(httpListen) || httpToken || httpAllowRemote) return;
    const message = `${formatHttpAddress(httpListen)} can be reached from other machines: set httpToken (as in httpToken = \${file:/run/secrets/http-token}), listen on 127.0.0.1, or set httpAllowRemote = true to let everybody read`;
    this.#refuse("httpListen", message);
  }

  #credentials(values: KeyValues) {
    const parse = (key: Key & `AwsCredentialsProvider${string}`) => {
      const text = values[key];
      if (text === undefined) return undefined;
      const { providers, problems, warnings } = parseCredentialsProviders(text);
      for (const problem of problems) this.#refuse(key, problem);
      for (const warning of warnings) this.#warn(key, warning);
      return providers;
    };
    const kinesis = parse("AwsCredentialsProvider") ?? [{ type: "default" } as const];
    return {
      kinesis,
      dynamodb: parse("AwsCredentialsProviderDynamoDB") ?? kinesis,
      cloudwatch: parse("AwsCredentialsProviderCloudWatch") ?? kinesis,
    };
  }

  /** Adjusts values that work, but not as written, and warns about them. */
  #adjusted(values: KeyValues): KeyValues {
    this.#warnOfSchemes(values);
    return this.#idleTime(this.#region(values));
  }

  #warnOfSchemes(values: KeyValues): void {
    for (const key of ENDPOINT_KEYS) {
      const [given, url] = [this.#given.get(key), values[key]];
      if (!given || !url || given.text.trim() === url) continue;
      this.#warn(key, `has no scheme: ${given.secret ? MASK : url} is used; write the whole URL`);
    }
  }

  #region(values: KeyValues): KeyValues {
    const region = values["kinesisClient.region"] ?? values.regionName;
    const { streamArn } = values;
    if (streamArn?.accountId === ANY_ACCOUNT) {
      const message = `the account ${ANY_ACCOUNT} stands for any account: only the stream's name is used, as in Java`;
      this.#warn("streamArn", message);
      return { ...values, streamArn: undefined };
    }
    if (region && streamArn && region !== streamArn.region) {
      const key = values["kinesisClient.region"] ? "kinesisClient.region" : "regionName";
      this.#warn(key, `${region} is used, although streamArn names ${streamArn.region}`);
    }
    return values;
  }

  #idleTime(values: KeyValues): KeyValues {
    if (values.idleTimeBetweenReadsInMillis >= MIN_IDLE_MS) return values;
    // A shard allows 5 GetRecords calls per second, for all its consumers together.
    this.#warn("idleTimeBetweenReadsInMillis", `raised to ${MIN_IDLE_MS}, as in Java`);
    return { ...values, idleTimeBetweenReadsInMillis: MIN_IDLE_MS };
  }

  #refused(...keys: readonly Key[]): boolean {
    return this.problems.some((problem) => keys.some((key) => problem.key === this.#name(key)));
  }

  #refuse(key: Key, message: string): void {
    this.problems.push({ ...this.#where(key), message });
  }

  #warn(key: Key, message: string): void {
    this.notices.push({ level: "warning", ...this.#where(key), message });
  }

  #where(key: Key): { readonly key: string; readonly source?: Source } {
    const source = this.#given.get(key)?.source;
    return { key: this.#name(key), ...(source && { source }) };
  }

  /** The name as the user wrote it. */
  #name(key: Key): string {
    return this.#given.get(key)?.writtenName ?? key;
  }
}

const MIN_IDLE_MS = 200;

const ENDPOINT_KEYS = [
  "kinesisEndpoint",
  "dynamoDBEndpoint",
  "kinesisClient.endpointOverride",
  "dynamoDbClient.endpointOverride",
  "cloudWatchClient.endpointOverride",
] as const satisfies readonly Key[];

function shown(key: Key, given: Given | undefined): string {
  if (!given || given.text === "") return "nothing";
  return given.secret || isSecretName(key) ? MASK : `"${maskValue(key, given.text)}"`;
}
