// Our daemon follows the protocol: every transcript that applies to a daemon is played with a real
// child.

import { describe, it } from "vitest";
import { loadTranscripts } from "../../src/transcript/library.ts";
import { playDaemon } from "./playDaemon.ts";

const transcripts = await loadTranscripts("daemon");

describe("the daemon's side", () => {
  it.concurrent.each(transcripts.map((transcript) => [transcript.name, transcript] as const))(
    "%s",
    async (_name, transcript) => {
      await playDaemon(transcript);
    },
  );
});
