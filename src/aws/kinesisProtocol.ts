// The SDK's own protocol, except that an answer of GetRecords stays the bytes that it is, and one of SubscribeToShard the
// stream of bytes. Everything else that the SDK does for a call (endpoint, credentials, signing, connections, errors) is
// as it was.

import { Readable } from "node:stream";
import { AwsJson1_1Protocol } from "@aws-sdk/core/protocols";

type Deserialize = AwsJson1_1Protocol["deserializeResponse"];
type MetadataBearer = Awaited<ReturnType<Deserialize>>;

/** What a client with this protocol gives for GetRecords. */
export interface RawGetRecordsOutput {
  readonly body: Buffer;
}

/** What it gives for SubscribeToShard. */
export interface RawSubscribeToShardOutput extends ServiceTime {
  /** Frames of an event stream, over HTTP/2 or HTTP/1.1. */
  readonly body: Readable;
}

/** What it adds to the answer of GetShardIterator. */
export interface ServiceTime {
  /** The service's clock when it answered, in whole seconds as milliseconds; absent when it did not say. */
  readonly serviceTimeMs?: number;
}

export class RawRecordsProtocol extends AwsJson1_1Protocol {
  override async deserializeResponse<Output extends MetadataBearer>(
    ...[operation, context, response]: Parameters<Deserialize>
  ): Promise<Output> {
    const { body, statusCode, headers } = response;
    if (operation.name === "GetRecords" && statusCode < 300 && Buffer.isBuffer(body)) {
      const $metadata = this.deserializeMetadata(response);
      const output: RawGetRecordsOutput & MetadataBearer = { body, $metadata };
      return output as MetadataBearer as Output;
    }
    if (operation.name === "SubscribeToShard" && statusCode < 300 && body instanceof Readable) {
      const $metadata = this.deserializeMetadata(response);
      const output: RawSubscribeToShardOutput & MetadataBearer = {
        body,
        ...serviceTime(headers),
        $metadata,
      };
      return output as MetadataBearer as Output;
    }
    const output = await super.deserializeResponse<Output>(operation, context, response);
    if (operation.name === "GetShardIterator") Object.assign(output, serviceTime(headers));
    return output;
  }
}

function serviceTime({ date = "" }: Readonly<Record<string, string>>): ServiceTime {
  const serviceTimeMs = Date.parse(date);
  return Number.isNaN(serviceTimeMs) ? {} : { serviceTimeMs };
}
