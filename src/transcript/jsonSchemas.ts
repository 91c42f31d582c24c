// The messages as JSON Schemas, for authors of clients in other languages. They are generated from
// the schemas with which the daemon and the producer read messages.

import { z } from "zod";
import { childMessage, daemonMessage, PROTOCOL_VERSION } from "../child/messages.ts";
import {
  clientMessage,
  PRODUCER_PROTOCOL_VERSION,
  producerMessage,
} from "../producer/protocol/messages.ts";

const DIRECTIONS = {
  "daemon-to-child": {
    id: `protocol:${PROTOCOL_VERSION}`,
    schema: daemonMessage,
    title: "Messages from the daemon to the child",
    description: "One line on the child's STDIN.",
  },
  "child-to-daemon": {
    id: `protocol:${PROTOCOL_VERSION}`,
    schema: childMessage,
    title: "Messages from the child to the daemon",
    description:
      "One line on the child's STDOUT. Write no other fields: not every daemon accepts them.",
  },
  "client-to-producer": {
    id: `producer-protocol:${PRODUCER_PROTOCOL_VERSION}`,
    schema: clientMessage,
    title: "Messages from a client to the producer",
    description: "One line on the producer's STDIN.",
  },
  "producer-to-client": {
    id: `producer-protocol:${PRODUCER_PROTOCOL_VERSION}`,
    schema: producerMessage,
    title: "Messages from the producer to a client",
    description:
      "One line on the producer's STDOUT. Ignore fields and actions that you do not know.",
  },
} as const;

/** The files of protocol/schemas: file name to text. */
export function jsonSchemas(): ReadonlyMap<string, string> {
  const files = Object.entries(DIRECTIONS).map(([name, { id, schema, title, description }]) => {
    // As input, not output: a reader must accept fields that a later version adds.
    const { $schema, ...body } = z.toJSONSchema(schema, { target: "draft-2020-12", io: "input" });
    const $id = `urn:kinesis-multilang:${id}:${name}`;
    const document = { $schema, $id, title, description, ...body };
    return [`${name}.json`, `${JSON.stringify(document, null, 2)}\n`] as const;
  });
  return new Map(files);
}
