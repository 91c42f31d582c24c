// `json`: the payload is one JSON value. Numbers that a double cannot hold exactly are changed by
// that; use `text` to pass the payload on as it is.

import type { Transformer } from "../pipeline.ts";

export const json: Transformer = {
  toObjects: ({ data }) => [JSON.parse(payloadText(data))],
};

export function payloadText(base64: string): string {
  return Buffer.from(base64, "base64").toString("utf8");
}
