// Writes the types of the library: the declarations of kinesis-multilang/producer, and those that they name.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

const FROM = ".cache/js";
const TO = "dist/types";
const waiting = ["producer/producer.d.ts"];
const written = new Set();

for (const file of waiting) {
  if (written.has(file)) continue;
  written.add(file);
  const text = readFileSync(join(FROM, file), "utf8").replace(
    /(from |import\()"(\.[^"]+)\.ts"/g,
    (_, start, path) => {
      waiting.push(normalize(join(dirname(file), `${path}.d.ts`)));
      return `${start}"${path}.js"`;
    },
  );
  const outside = /(?:from |import\()"(?!\.)(?!node:)([^"]+)"/.exec(text)?.[1];
  if (outside) throw new Error(`${file} needs the types of ${outside}, which users do not have`);
  mkdirSync(join(TO, dirname(file)), { recursive: true });
  writeFileSync(join(TO, file), text);
}
