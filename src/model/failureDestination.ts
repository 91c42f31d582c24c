// Parses `onFailureDestination`: where records go that no child could process. Pure.

export type Destination =
  | { readonly type: "file"; readonly path: string }
  | { readonly type: "sqs"; readonly queue: Queue }
  | { readonly type: "sns"; readonly topicArn: string; readonly region: string }
  | { readonly type: "s3"; readonly bucket: string; readonly prefix: string }
  | { readonly type: "kinesis"; readonly stream: Stream };

/** A queue, by its URL or by the parts of its ARN, which identify it to the service. */
export type Queue =
  | { readonly url: string; readonly region?: string }
  | { readonly name: string; readonly accountId: string; readonly region: string };

export type Stream =
  | { readonly name: string }
  | { readonly arn: string; readonly name: string; readonly region: string };

const FORMS: Readonly<Record<Destination["type"], string>> = {
  file: "file:PATH",
  sqs: "sqs:https://sqs.REGION.amazonaws.com/ACCOUNT/QUEUE or sqs:arn:aws:sqs:REGION:ACCOUNT:QUEUE",
  sns: "sns:arn:aws:sns:REGION:ACCOUNT:TOPIC",
  s3: "s3:BUCKET or s3:BUCKET/PREFIX",
  kinesis: "kinesis:STREAM or kinesis:arn:aws:kinesis:REGION:ACCOUNT:stream/NAME",
};

const ARN = /^arn:aws[a-z-]*:([a-z0-9]+):([a-z0-9-]+):(\d{12}):(.+)$/;
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const STREAM = /^[a-zA-Z0-9_.-]{1,128}$/;

export const DESTINATION_FORM = "file:PATH, sqs:…, sns:…, s3:… or kinesis:…";

/**
 * @returns the destination; a string that describes the valid forms when the text is none of them.
 */
export function parseDestination(text: string): Destination | string {
  const [, type = "", rest = ""] = /^([a-z0-9]+):(.+)$/s.exec(text.trim()) ?? [];
  if (!isType(type)) return DESTINATION_FORM;
  return PARSERS[type](rest.trim()) ?? FORMS[type];
}

const PARSERS = {
  file: (path) => ({ type: "file", path }),
  sqs: (text) => {
    const queue = URL.canParse(text) && /^https?:/i.test(text) ? byUrl(text) : byArn(text);
    return queue && { type: "sqs", queue };
  },
  sns: (text) => {
    const [, service, region] = ARN.exec(text) ?? [];
    return service === "sns" && region ? { type: "sns", topicArn: text, region } : undefined;
  },
  s3: (text) => {
    const [bucket = "", ...folders] = text.split("/");
    const prefix = folders.filter((folder) => folder !== "").join("/");
    return BUCKET.test(bucket) ? { type: "s3", bucket, prefix } : undefined;
  },
  kinesis: (text) => {
    const [, service, region, , resource = ""] = ARN.exec(text) ?? [];
    if (service === undefined) {
      return STREAM.test(text) ? { type: "kinesis", stream: { name: text } } : undefined;
    }
    const name = /^stream\/(.+)$/.exec(resource)?.[1] ?? "";
    if (service !== "kinesis" || !region || !STREAM.test(name)) return undefined;
    return { type: "kinesis", stream: { arn: text, name, region } };
  },
} satisfies Record<Destination["type"], (rest: string) => Destination | undefined>;

function byUrl(url: string): Queue {
  const region = /^(?:sqs[.-])?([a-z]{2}(?:-[a-z]+)+-\d)\./.exec(new URL(url).hostname)?.[1];
  return { url, ...(region && { region }) };
}

function byArn(text: string): Queue | undefined {
  const [, service, region, accountId, name] = ARN.exec(text) ?? [];
  if (service !== "sqs" || !region || !accountId || !name) return undefined;
  return { name, accountId, region };
}

function isType(text: string): text is Destination["type"] {
  return Object.hasOwn(FORMS, text);
}
