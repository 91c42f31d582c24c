// Appends lines to one file on this host, for all shards. A batch is one write, synced to disk
// before its position is stored.

import type { ConnectorValues } from "../../config/connector/connectorKeys.ts";
import { UserError } from "../../model/errors.ts";
import { AppendedFile } from "../../sinks/appendedFile.ts";
import { chooseFormat, type Encode } from "../formats.ts";
import { ALL_STORED, type Emitter, type Item, messageOf, TargetProblem } from "../pipeline.ts";

export interface TextItem extends Item {
  readonly content: string | Buffer;
}

/** An operator has to mend these; a full disk may pass. */
const SETUP = new Set(["ENOENT", "EACCES", "EPERM", "EISDIR", "ENOTDIR", "EROFS"]);

/** @throws UserError when the settings do not suffice. */
export function openFile({ path, format, ...columns }: ConnectorValues): Emitter<TextItem> {
  if (path === undefined) {
    throw new UserError("connectorDestination = file needs path, the file that is appended to");
  }
  if (format !== "ndjson" && format !== "csv") {
    throw new UserError(
      `connectorDestination = file writes lines: format = ndjson or csv, not ${format}`,
    );
  }
  const encode = chooseFormat({ format, ...columns });
  const file = new AppendedFile(path);
  return {
    target: `the file ${path}`,
    check: () => file.check(),
    toItem: textItem(encode),
    placeOf: () => path,
    textOf: contentText,
    async emit(items) {
      try {
        await file.append(joined(items));
      } catch (error) {
        const code = error instanceof Error && "code" in error ? String(error.code) : "";
        const kind = SETUP.has(code) ? "configuration" : "unavailable";
        throw new TargetProblem(kind, messageOf(error), { cause: error });
      }
      return ALL_STORED;
    },
    close: () => Promise.resolve(),
  };
}

export function textItem(encode: Encode): Emitter<TextItem>["toItem"] {
  return (object, record) => {
    const content = encode(object);
    return { record, content, bytes: Buffer.byteLength(content) };
  };
}

export function joined(items: readonly TextItem[]): Buffer {
  const isText = (item: TextItem): item is TextItem & { readonly content: string } =>
    typeof item.content === "string";
  if (items.every(isText)) return Buffer.from(items.map(({ content }) => content).join(""));
  return Buffer.concat(items.map(({ content }) => Buffer.from(content)));
}

export function contentText({ content }: TextItem): string {
  return content.toString().replace(/\n$/, "");
}
