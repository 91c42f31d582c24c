import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // These take Java, Maven and minutes: `npm run test:interop`.
    exclude: process.env["INTEROP"]
      ? []
      : ["test/interop/{fleet,java,metrics,multiStream,producer}.test.ts"],
    globalSetup: "./test/support/globalSetup.ts",
    // The services are shared; each file has its own processes, streams and tables. Most of them mostly wait.
    maxWorkers: 3,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ["default", "./test/support/countReporter.ts"],
  },
});
