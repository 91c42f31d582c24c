// The daemon conforms to the protocol: plays every transcript for daemons, with a real child.

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
