// DynamoDB Local from Maven, for what dynalite cannot do: add an index to a table.

import { execa } from "execa";
import type { TestContext } from "vitest";
import type { Scope } from "../../src/sample/scope.ts";
import { useDynamo } from "../bench/services.ts";

/** The first run on a machine fetches it. */
export const FETCH_LIMIT_MS = 300_000;

/** Its URL, until the scope is closed. Skips the test, saying why, where its tools are not installed. */
export async function needDynamoLocal(context: TestContext, scope: Scope): Promise<string> {
  for (const tried of ["java", "mvn"]) {
    const { exitCode } = await execa(tried, ["-version"], { reject: false, stdin: "ignore" });
    if (exitCode !== 0) {
      context.skip(`"${tried} -version" failed: DynamoDB Local needs a JDK 17 and Maven`);
    }
  }
  return useDynamo(scope, true);
}
