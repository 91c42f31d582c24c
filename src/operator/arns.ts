// The ARNs of the resources that a daemon uses, with placeholders for what is not known.

import type { Settings } from "../config/settings.ts";
import type { NamedStream } from "../config/streams.ts";
import { OWNER_INDEX } from "../leases/kcl3/fleetTables.ts";
import type { Destination } from "../model/failureDestination.ts";
import { deadLetterDestination, type Resource } from "./needs.ts";

export const REGION = "REGION";
export const ACCOUNT = "ACCOUNT_ID";

export interface Location {
  readonly region?: string;
  readonly account?: string;
}

export class Arns {
  readonly streamRegion: string;
  readonly tableRegion: string;
  readonly account: string;
  readonly #settings: Settings;
  readonly #partition: string;

  constructor(settings: Settings, { region = REGION, account }: Location) {
    const { streamArn, services } = settings;
    const { kinesis, dynamodb } = services;
    this.#settings = settings;
    this.streamRegion = kinesis.region ?? streamArn?.region ?? region;
    this.tableRegion = dynamodb.region ?? (region === REGION ? this.streamRegion : region);
    this.account = account ?? streamArn?.accountId ?? ACCOUNT;
    this.#partition = partitionOf(this.streamRegion);
  }

  get domain(): string {
    return domainOf(this.streamRegion);
  }

  of(resource: Resource): readonly string[] {
    const { tableName, coordinatorStateTableName, workerMetricsTableName } = this.#settings;
    switch (resource) {
      case "stream":
        return this.#streams();
      case "consumer":
        return this.#consumers();
      case "table":
        return [this.#table(tableName)];
      case "ownerIndex":
        return [`${this.#table(tableName)}/index/${OWNER_INDEX}`];
      case "fleetTables":
        return [this.#table(coordinatorStateTableName), this.#table(workerMetricsTableName)];
      case "metrics":
        return ["*"];
      case "deadLetters":
        return this.#deadLetters(deadLetterDestination(this.#settings));
    }
  }

  #streams(): readonly string[] {
    const { streamArn, streamName, streams } = this.#settings;
    const single = { streamName, ...(streamArn && { arn: streamArn.arn }) };
    return (streams ?? [single]).map(
      (named: NamedStream) =>
        named.arn ?? this.#arn("kinesis", this.streamRegion, `stream/${named.streamName}`),
    );
  }

  #consumers(): readonly string[] {
    const { consumerArn, consumerName } = this.#settings.fanoutConfig;
    if (consumerArn !== undefined) return [consumerArn];
    // The suffix is the time of registration, which is not known before.
    return this.#streams().map((stream) => `${stream}/consumer/${consumerName}:*`);
  }

  #table(name: string): string {
    return name.startsWith("arn:")
      ? name
      : this.#arn("dynamodb", this.tableRegion, `table/${name}`);
  }

  #deadLetters(to: Destination | undefined): readonly string[] {
    switch (to?.type) {
      case "sqs":
        return [this.#queue(to.queue)];
      case "sns":
        return [to.topicArn];
      case "s3":
        return [
          `arn:${this.#partition}:s3:::${[to.bucket, ...this.#objectFolders(to.prefix)].join("/")}/*`,
        ];
      case "kinesis":
        return "arn" in to.stream
          ? [to.stream.arn]
          : [this.#arn("kinesis", this.streamRegion, `stream/${to.stream.name}`)];
      default:
        return [];
    }
  }

  /** The folders of the S3 objects, as src/sinks/letterFormat.ts names them. */
  #objectFolders(prefix: string): readonly string[] {
    const { applicationName, streamName, streams } = this.#settings;
    // A policy cannot list the streams inside one resource.
    const folders = [
      encodeURIComponent(applicationName),
      streams ? "*" : encodeURIComponent(streamName),
    ];
    return prefix ? [prefix, ...folders] : folders;
  }

  #queue(queue: Extract<Destination, { type: "sqs" }>["queue"]): string {
    if (!("url" in queue)) {
      return `arn:${this.#partition}:sqs:${queue.region}:${queue.accountId}:${queue.name}`;
    }
    const [account = this.account, name = ""] = new URL(queue.url).pathname.split("/").slice(-2);
    const region = queue.region ?? this.streamRegion;
    return `arn:${this.#partition}:sqs:${region}:${account}:${name}`;
  }

  #arn(service: string, region: string, resource: string): string {
    return `arn:${this.#partition}:${service}:${region}:${this.account}:${resource}`;
  }
}

export function domainOf(region: string): string {
  return partitionOf(region) === "aws-cn" ? "amazonaws.com.cn" : "amazonaws.com";
}

export function partitionOf(region: string): string {
  if (region.startsWith("cn-")) return "aws-cn";
  return region.startsWith("us-gov-") ? "aws-us-gov" : "aws";
}
