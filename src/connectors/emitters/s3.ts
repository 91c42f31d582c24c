// Writes objects to S3, each record into exactly one, whenever the process is killed.
//
// The name of an object has the first record that it contains, and not the last. A batch is split
// by the prefix of its records, and the position of a batch is stored before the next one is
// written (`needsStoredPosition`). So whatever a killed process has written beyond the stored
// position belongs to one batch, and the first record of each of its objects is the first one of
// its prefix after that position. Whoever continues there, wherever the new batches end, begins an
// object of that prefix with that record again: the old object is overwritten.

import { promisify } from "node:util";
import zlib from "node:zlib";
import type { S3 } from "@aws-sdk/client-s3";
import type { ConnectorValues } from "../../config/connector/connectorKeys.ts";
import { inParallel } from "../../inParallel.ts";
import { UserError } from "../../model/errors.ts";
import { bucketClient } from "../../sinks/s3.ts";
import { installed, type ServiceContext } from "../../sinks/serviceClients.ts";
import { chooseFormat } from "../formats.ts";
import { type Emitter, messageOf, TargetProblem, type Unstored } from "../pipeline.ts";
import { placeName } from "../placeName.ts";
import { contentText, joined, type TextItem, textItem } from "./file.ts";

interface ObjectItem extends TextItem {
  readonly prefix: string;
}

/** Larger objects are sent in parts. */
const MULTIPART_BYTES = 8 * 2 ** 20;
const PUTS_AT_ONCE = 4;
const ENDINGS = { ndjson: "ndjson", csv: "csv", raw: "bin", "length-prefixed": "bin" } as const;

/** An operator has to mend these. */
const SETUP =
  /^(NoSuchBucket|NotFound|AccessDenied|AllAccessDisabled|PermanentRedirect|InvalidAccessKeyId|SignatureDoesNotMatch|CredentialsProviderError|403|404)$/;

/** @throws UserError when the settings do not suffice, or a package is not installed. */
export async function openS3(
  values: ConnectorValues,
  context: ServiceContext,
): Promise<Emitter<ObjectItem>> {
  const { s3Bucket: bucket, prefix, compression, format, s3Endpoint } = values;
  if (bucket === undefined) throw new UserError("connectorDestination = s3 needs s3Bucket");
  const compress = COMPRESSIONS[compression]();
  const nameOf = placeName(prefix);
  const toText = textItem(chooseFormat(values));
  const ending = `${ENDINGS[format]}${compress.ending}`;
  const endpoint = s3Endpoint === undefined ? {} : { endpoint: s3Endpoint };
  const client = await bucketClient({ ...context, ...endpoint });
  const keyOf = ({ prefix: folder, record }: ObjectItem): string => {
    const sub = record.subSequenceNumber > 0 ? `.${record.subSequenceNumber}` : "";
    return `${folder}${record.shardId}/${record.sequenceNumber}${sub}.${ending}`;
  };
  return {
    target: `the bucket ${bucket}`,
    needsStoredPosition: true,
    check: () => checkBucket(client, bucket),
    toItem: (object, record, index) => ({
      ...toText(object, record, index),
      prefix: nameOf(object, record),
    }),
    placeOf: (item) => `s3://${bucket}/${keyOf(item)}`,
    textOf: contentText,
    async emit(items, signal) {
      const failed: { readonly group: readonly ObjectItem[]; readonly error: unknown }[] = [];
      const groups = byPrefix(items);
      await inParallel(groups, PUTS_AT_ONCE, async (group) => {
        const [first] = group;
        if (!first) return;
        try {
          const Body = await compress.bytes(joined(group));
          await putObject(
            client,
            { Bucket: bucket, Key: keyOf(first), Body, ...compress.header },
            signal,
          );
        } catch (error) {
          failed.push({ group, error });
        }
      });
      const [first] = failed;
      if (first && failed.length === groups.length) throw problemOf(first.error);
      const again = failed.flatMap(({ group, error }) =>
        group.map((item): Unstored<ObjectItem> => ({ item, reason: messageOf(error) })),
      );
      return { again, refused: [] };
    },
    close: async () => client.destroy(),
  };
}

function byPrefix(items: readonly ObjectItem[]): readonly (readonly ObjectItem[])[] {
  const groups = new Map<string, ObjectItem[]>();
  for (const item of items) {
    const group = groups.get(item.prefix);
    if (group) group.push(item);
    else groups.set(item.prefix, [item]);
  }
  return [...groups.values()];
}

interface ObjectToPut {
  readonly Bucket: string;
  readonly Key: string;
  readonly Body: Buffer;
  readonly ContentEncoding?: string;
}

async function putObject(client: S3, params: ObjectToPut, signal: AbortSignal): Promise<void> {
  if (params.Body.length <= MULTIPART_BYTES) {
    await client.putObject(params, { abortSignal: signal });
    return;
  }
  const { Upload } = await import("@aws-sdk/lib-storage");
  const upload = new Upload({ client, params, partSize: MULTIPART_BYTES });
  const stop = () => void upload.abort();
  signal.addEventListener("abort", stop, { once: true });
  try {
    await upload.done();
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

async function checkBucket(client: S3, bucket: string): Promise<void> {
  await installed("lib-storage", () => import("@aws-sdk/lib-storage"));
  try {
    await client.headBucket({ Bucket: bucket });
  } catch (error) {
    const { kind, message } = problemOf(error);
    if (kind === "configuration") {
      throw new UserError(`The bucket ${bucket} cannot be used: ${message}`, { cause: error });
    }
  }
}

function problemOf(error: unknown): TargetProblem {
  const name = error instanceof Error ? error.name : "";
  const kind = SETUP.test(name) ? "configuration" : "unavailable";
  return new TargetProblem(kind, `${name}: ${messageOf(error)}`, { cause: error });
}

interface Compression {
  readonly ending: string;
  readonly header: { readonly ContentEncoding?: string };
  bytes(content: Buffer): Promise<Buffer>;
}

const COMPRESSIONS = {
  none: () => ({ ending: "", header: {}, bytes: async (content) => content }),
  gzip: () => ({
    ending: ".gz",
    header: { ContentEncoding: "gzip" },
    bytes: (content) => promisify(zlib.gzip)(content),
  }),
  zstd: () => {
    if (!("zstdCompress" in zlib)) {
      throw new UserError("compression = zstd needs Node 22.15 or later; use gzip");
    }
    const compress = promisify(zlib.zstdCompress as typeof zlib.gzip);
    return {
      ending: ".zst",
      header: { ContentEncoding: "zstd" },
      bytes: (content) => compress(content),
    };
  },
} satisfies Record<ConnectorValues["compression"], () => Compression>;
