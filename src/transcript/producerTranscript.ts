// A transcript of the producer protocol, in the notation of transcript.ts: `>` marks a line of the
// client, `<` one of the producer. Everything that the client writes comes before it closes.

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { inPackage } from "../package.ts";

const FOLDER = "protocol/producer-transcripts";

export interface ProducerTranscript {
  /** The file name without folder and extension. */
  readonly name: string;
  readonly title: string;
  /** The sentences of protocol/producer.md that it shows. The first one is reported. */
  readonly sentences: readonly string[];
  readonly sent: readonly string[];
  readonly answers: readonly string[];
  readonly exitCode: number;
}

/** The transcripts that are part of this package, in the order of their names. */
export async function producerTranscripts(): Promise<ProducerTranscript[]> {
  const folder = inPackage(FOLDER);
  const files = (await readdir(folder)).filter((file) => file.endsWith(".txt")).sort();
  return Promise.all(
    files.map(async (file) =>
      parseProducerTranscript(file.replace(".txt", ""), await readFile(join(folder, file), "utf8")),
    ),
  );
}

export function parseProducerTranscript(name: string, text: string): ProducerTranscript {
  const lines = text.split("\n");
  const after = (mark: string) =>
    lines.flatMap((line) => (line.startsWith(mark) ? [line.slice(mark.length)] : []));
  const [title = ""] = after("# ");
  const [sentences = ""] = after("# sentence: ");
  const [exitCode = "0"] = after("! producer exits: ");
  return {
    name,
    title,
    sentences: sentences.split(" "),
    sent: after("> "),
    answers: after("< "),
    exitCode: Number(exitCode),
  };
}
