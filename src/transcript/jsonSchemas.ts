// The messages as JSON Schemas, for authors of clients in other languages. They are generated from
// the schemas with which the daemon reads messages.

import { z } from "zod";
import { childMessage, daemonMessage, PROTOCOL_VERSION } from "../child/messages.ts";

const DIRECTIONS = {
  "daemon-to-child": {
    schema: daemonMessage,
    title: "Messages from the daemon to the child",
    description: "One line on the child's STDIN.",
  },
  "child-to-daemon": {
    schema: childMessage,
    title: "Messages from the child to the daemon",
    description:
      "One line on the child's STDOUT. Write no other fields: not every daemon accepts them.",
  },
} as const;

/** The files of protocol/schemas: file name to text. */
export function jsonSchemas(): ReadonlyMap<string, string> {
  const files = Object.entries(DIRECTIONS).map(([name, { schema, title, description }]) => {
    // As input, not output: a reader must accept fields that a later version adds.
    const { $schema, ...body } = z.toJSONSchema(schema, { target: "draft-2020-12", io: "input" });
    const $id = `urn:kinesis-multilang:protocol:${PROTOCOL_VERSION}:${name}`;
    const document = { $schema, $id, title, description, ...body };
    return [`${name}.json`, `${JSON.stringify(document, null, 2)}\n`] as const;
  });
  return new Map(files);
}
