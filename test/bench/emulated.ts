// A stream on the emulated Kinesis or on the fake one, and putting records into it.

import {
  CreateStreamCommand,
  DescribeStreamConsumerCommand,
  DescribeStreamSummaryCommand,
  KinesisClient,
  PutRecordCommand,
  PutRecordsCommand,
  RegisterStreamConsumerCommand,
} from "@aws-sdk/client-kinesis";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { withoutVersionWarning } from "../../src/aws/kinesisClient.ts";
import { LOCAL_CREDENTIALS, LOCAL_REGION } from "../../src/local/services.ts";
import type { Random } from "../chaos/random.ts";
import { reshard } from "../chaos/shards.ts";
import { uniqueName } from "./paths.ts";
import { waitFor } from "./wait.ts";

const ACTIVE_LIMIT_MS = 30_000;

export class EmulatedStream {
  readonly url: string;
  readonly name: string;
  readonly #client: KinesisClient;

  private constructor(url: string, name: string, client: KinesisClient) {
    this.url = url;
    this.name = name;
    this.#client = client;
  }

  /** A new stream of one shard, ready to use. */
  static async create(url: string): Promise<EmulatedStream> {
    const client = withoutVersionWarning(
      () =>
        new KinesisClient({
          endpoint: url,
          region: LOCAL_REGION,
          credentials: LOCAL_CREDENTIALS,
          requestHandler: new NodeHttpHandler(),
        }),
    );
    const StreamName = uniqueName();
    await client.send(new CreateStreamCommand({ StreamName, ShardCount: 1 }));
    await waitFor("the stream to be ACTIVE", ACTIVE_LIMIT_MS, async () => {
      const found = await client.send(new DescribeStreamSummaryCommand({ StreamName }));
      return found.StreamDescriptionSummary?.StreamStatus === "ACTIVE" ? true : undefined;
    });
    return new EmulatedStream(url, StreamName, client);
  }

  async putTen(): Promise<void> {
    const Records = Array.from({ length: 10 }, (_, i) => ({
      Data: Buffer.from(`record ${i}`),
      PartitionKey: `key ${i}`,
    }));
    await this.#client.send(new PutRecordsCommand({ StreamName: this.name, Records }));
  }

  async put(text: string): Promise<void> {
    const record = { StreamName: this.name, PartitionKey: "key", Data: Buffer.from(text) };
    await this.#client.send(new PutRecordCommand(record));
  }

  /** Splits or merges at random, between two and six open shards. */
  async reshard(random: Random): Promise<void> {
    await reshard(this.#client, this.name, random);
  }

  /** Registers a consumer and returns its ARN once it can be used. */
  async consumer(ConsumerName: string): Promise<string> {
    const { StreamDescriptionSummary: stream } = await this.#client.send(
      new DescribeStreamSummaryCommand({ StreamName: this.name }),
    );
    const consumer = { StreamARN: stream?.StreamARN, ConsumerName };
    await this.#client.send(new RegisterStreamConsumerCommand(consumer));
    return waitFor("the consumer to be ACTIVE", ACTIVE_LIMIT_MS, async () => {
      const { ConsumerDescription: found } = await this.#client.send(
        new DescribeStreamConsumerCommand(consumer),
      );
      return found?.ConsumerStatus === "ACTIVE" ? found.ConsumerARN : undefined;
    });
  }

  close(): void {
    this.#client.destroy();
  }
}
