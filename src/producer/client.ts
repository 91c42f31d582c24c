// The Kinesis client that the putter writes with.

import { KinesisClient } from "@aws-sdk/client-kinesis";
import { NodeHttpHandler } from "@smithy/node-http-handler";

export interface ProducerClientOptions {
  readonly endpoint?: string;
  readonly region?: string;
  /** Absent = the SDK's default chain. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

/** HTTP/1.1: the client's own default is HTTP/2, which plain-HTTP endpoints do not speak. */
export function producerClient(options: ProducerClientOptions): KinesisClient {
  return new KinesisClient({ ...options, requestHandler: new NodeHttpHandler() });
}
