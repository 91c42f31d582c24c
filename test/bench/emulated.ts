// A stream on the emulated Kinesis, and putting records into it.

import {
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  KinesisClient,
  PutRecordCommand,
  PutRecordsCommand,
} from "@aws-sdk/client-kinesis";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { LOCAL_CREDENTIALS, LOCAL_REGION } from "../../src/local/services.ts";
import { uniqueName } from "./daemonRun.ts";
import { waitFor } from "./wait.ts";

const ACTIVE_LIMIT_MS = 30_000;

export class EmulatedStream {
  readonly name: string;
  readonly #client: KinesisClient;

  private constructor(name: string, client: KinesisClient) {
    this.name = name;
    this.#client = client;
  }

  /** A new stream of one shard, ready to use. */
  static async create(url: string): Promise<EmulatedStream> {
    const client = new KinesisClient({
      endpoint: url,
      region: LOCAL_REGION,
      credentials: LOCAL_CREDENTIALS,
      requestHandler: new NodeHttpHandler(),
    });
    const StreamName = uniqueName();
    await client.send(new CreateStreamCommand({ StreamName, ShardCount: 1 }));
    await waitFor("the stream to be ACTIVE", ACTIVE_LIMIT_MS, async () => {
      const found = await client.send(new DescribeStreamSummaryCommand({ StreamName }));
      return found.StreamDescriptionSummary?.StreamStatus === "ACTIVE" ? true : undefined;
    });
    return new EmulatedStream(StreamName, client);
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

  close(): void {
    this.#client.destroy();
  }
}
