// The SDK's protocol with one change: it does not decode the responses of GetRecords (bytes) and
// SubscribeToShard (a stream of bytes). Everything else remains the SDK's: endpoints, credentials,
// signing and errors.

import { Readable } from "node:stream";
import { AwsJson1_1Protocol } from "@aws-sdk/core/protocols";

type Deserialize = AwsJson1_1Protocol["deserializeResponse"];
type MetadataBearer = Awaited<ReturnType<Deserialize>>;

/** The output of GetRecords with this protocol. */
export interface RawGetRecordsOutput {
  /** A view of a buffer from the pool (buffers.ts), which the caller gives back. */
  readonly body: Buffer;
}

/** The output of SubscribeToShard with this protocol. */
export interface RawSubscribeToShardOutput extends ServiceTime {
  /** The frames of an event stream, over HTTP/2 or HTTP/1.1. */
  readonly body: Readable;
}

/** This protocol adds it to the output of GetShardIterator, too. */
export interface ServiceTime {
  /** The `Date` header: the service's clock, in milliseconds but rounded to seconds. */
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
