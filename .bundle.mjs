// What is published: the program and all that it imports, in a few files. Reading some 500 small ones took most of the
// daemon's start. Nothing is shortened, so that stack traces can be read.

import { build } from "rolldown";
import { notices } from "./.notices.mjs";

await build({
  input: {
    main: "./.cache/js/start.js",
    producer: "./.cache/js/producer/producer.js",
    connector: "./.cache/js/connectors/program.js",
  },
  platform: "node",
  logLevel: "warn",
  // run loads the settings late for the sake of `--help`; other commands load them at once.
  checks: { ineffectiveDynamicImport: false },
  // Installed beside the program by whoever sends dead letters there.
  external: /^@aws-sdk\/(client-(s3|sns|sqs)|lib-storage)$/,
  // The SDK's build for bundlers: what nobody uses of it is left out.
  resolve: { mainFields: ["module", "main"] },
  output: {
    dir: "dist",
    cleanDir: true,
    chunkFileNames: "[name].js",
    // What several parts use is one file. Without this the daemon would read 64.
    // Connectors stay apart: the daemon reads nothing of them.
    codeSplitting: {
      groups: [{ name: "common", minShareCount: 3, test: /^(?!.*\/js\/(config\/)?connectors?\/)/ }],
    },
  },
  plugins: [notices()],
});
