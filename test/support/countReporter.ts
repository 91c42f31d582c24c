// Ends a test run with one plain line, `N passed, N failed, N skipped`, and names the skipped
// tests.

import type { Reporter, TestCase, TestModule } from "vitest/node";

export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly unknown[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const count = (state: string) => tests.filter((test) => test.result().state === state).length;
    const broken = modules.filter(
      (module) => module.state() === "failed" && module.errors().length > 0,
    ).length;
    for (const test of tests) {
      if (test.result().state === "skipped") console.log(`skipped: ${describe(test)}`);
    }
    const failed = count("failed") + broken + unhandled.length;
    console.log(`${count("passed")} passed, ${failed} failed, ${count("skipped")} skipped`);
  }
}

function describe(test: TestCase): string {
  const result = test.result();
  const why = result.state === "skipped" && result.note ? `: ${result.note}` : "";
  return `${test.module.relativeModuleId} > ${test.fullName}${why}`;
}
