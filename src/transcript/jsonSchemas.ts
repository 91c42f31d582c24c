// The messages as JSON Schemas for those who write clients in other languages, made from the schemas that the daemon itself reads by.

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
      "One line on the child's STDOUT. Write no other fields: not every daemon forgives them.",
  },
} as const;

/** File name to text, as they stand in protocol/schemas. */
export function jsonSchemas(): ReadonlyMap<string, string> {
  const files = Object.entries(DIRECTIONS).map(([name, { schema, title, description }]) => {
    // As input, not output: a reader must bear fields that a later version adds.
    const { $schema, ...body } = z.toJSONSchema(schema, { target: "draft-2020-12", io: "input" });
    const $id = `urn:kinesis-multilang:protocol:${PROTOCOL_VERSION}:${name}`;
    const document = { $schema, $id, title, description, ...body };
    return [`${name}.json`, `${JSON.stringify(document, null, 2)}\n`] as const;
  });
  return new Map(files);
}
