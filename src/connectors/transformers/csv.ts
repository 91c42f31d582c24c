// `csv`: the payload is one line of CSV with the columns of `csvColumns`. It becomes an object.

import type { Transformer } from "../pipeline.ts";
import { payloadText } from "./json.ts";

export function csv(columns: readonly string[], delimiter: string): Transformer {
  return {
    toObjects({ data }) {
      const values = cells(payloadText(data).replace(/\r?\n$/, ""), delimiter);
      if (values.length !== columns.length) {
        throw new Error(`found ${values.length} columns, but csvColumns names ${columns.length}`);
      }
      return [Object.fromEntries(columns.map((column, index) => [column, values[index]]))];
    },
  };
}

/** As in RFC 4180: a quoted cell may contain delimiters, line ends and doubled quotes. */
function cells(line: string, delimiter: string): readonly string[] {
  const found: string[] = [];
  let rest = line;
  for (;;) {
    const quoted = /^"((?:[^"]|"")*)"/.exec(rest);
    const end = quoted ? quoted[0].length : rest.indexOf(delimiter);
    const isLast = end < 0 || end === rest.length;
    const plain = isLast ? rest : rest.slice(0, end);
    found.push(quoted ? (quoted[1] ?? "").replaceAll('""', '"') : plain);
    if (isLast) return found;
    if (!rest.startsWith(delimiter, end)) {
      throw new Error(`column ${found.length} has text after its closing quote`);
    }
    rest = rest.slice(end + delimiter.length);
  }
}
