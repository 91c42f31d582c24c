// `filter`: an expression in the Common Expression Language (CEL) over the object and its record.
// It always ends, and it cannot call anything.

import { UserError } from "../model/errors.ts";
import type { Filter } from "./pipeline.ts";
import { messageOf } from "./pipeline.ts";

/** @throws UserError when the expression is not valid. */
export async function expressionFilter(expression: string): Promise<Filter> {
  const { Environment } = await import("@marcbachmann/cel-js");
  const environment = new Environment()
    .registerVariable("object", "dyn")
    .registerVariable("partitionKey", "string")
    .registerVariable("shardId", "string")
    .registerVariable("arrival", "dyn");
  const fail = (why: string) =>
    new UserError(
      `filter = ${expression} is not a valid expression: ${why}. Variables: object, partitionKey, shardId, arrival`,
    );
  let evaluate: ReturnType<typeof environment.parse>;
  try {
    evaluate = environment.parse(expression);
  } catch (error) {
    throw fail(firstLine(error));
  }
  const { valid, error } = evaluate.check();
  if (!valid) throw fail(firstLine(error));
  return {
    keeps(object, { partitionKey, shardId, approximateArrivalTimestamp }) {
      const arrival = new Date(approximateArrivalTimestamp);
      const kept: unknown = decided(() => evaluate({ object, partitionKey, shardId, arrival }));
      if (typeof kept === "boolean") return kept;
      throw new Error("the filter's value is neither true nor false");
    },
  };
}

function decided<T>(evaluate: () => T): T {
  try {
    return evaluate();
  } catch (error) {
    throw new Error(`the filter cannot be evaluated: ${firstLine(error)}`);
  }
}

/** The rest of the message quotes the expression. */
function firstLine(error: unknown): string {
  return messageOf(error).split("\n", 1)[0] ?? "";
}
