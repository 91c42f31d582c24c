// DynamoDB Local from Maven, for what dynalite does not support: adding an index to a table.

import { execa } from "execa";
import type { TestContext } from "vitest";
import type { Scope } from "../../src/sample/scope.ts";
import { useDynamo } from "../bench/services.ts";

/** The first run on a machine downloads it. */
export const FETCH_LIMIT_MS = 300_000;

/**
 * Returns its URL, valid until the scope is closed. If its tools are not installed, skips the test
 * and reports why.
 */
export async function needDynamoLocal(context: TestContext, scope: Scope): Promise<string> {
  for (const tried of ["java", "mvn"]) {
    const { exitCode } = await execa(tried, ["-version"], { reject: false, stdin: "ignore" });
    if (exitCode !== 0) {
      context.skip(`"${tried} -version" failed: DynamoDB Local needs a JDK 17 and Maven`);
    }
  }
  return useDynamo(scope, true);
}
