// Makes the parts of a connector from its settings: everything that can be wrong with them is found
// here, before the first record.

import type { LoadedConnector } from "../config/connector/loadConnector.ts";
import type { BufferLimits } from "./buffer.ts";
import { openFile } from "./emitters/file.ts";
import { openHttp } from "./emitters/http.ts";
import { openSearch } from "./emitters/search.ts";
import { openSocket, openStdout } from "./emitters/socket.ts";
import { expressionFilter } from "./filter.ts";
import type { Emitter, Item } from "./pipeline.ts";
import type { Steps } from "./prepare.ts";
import { chooseTransformer } from "./transformers/chooseTransformer.ts";

export interface OpenConnector<U extends Item> extends Steps<U> {
  readonly emitter: Emitter<U>;
  readonly limits: BufferLimits;
}

/**
 * Passes the parts on, whatever form the items of the emitter have.
 *
 * @throws UserError when the settings do not suffice.
 */
export async function withConnector<T>(
  loaded: LoadedConnector,
  use: <U extends Item>(connector: OpenConnector<U>) => T,
): Promise<T> {
  const { values, folder, outlet } = loaded;
  const transformer = await chooseTransformer(values, folder);
  const filter = values.filter === undefined ? undefined : await expressionFilter(values.filter);
  const limits = {
    records: values.bufferRecordCountLimit,
    bytes: values.bufferByteSizeLimit,
    ms: values.bufferMillisecondsLimit,
  };
  const parts = { transformer, filter, limits };
  switch (values.connectorDestination) {
    case "file":
      return use({ ...parts, emitter: openFile(values) });
    case "stdout":
      return use({ ...parts, emitter: openStdout(values, outlet) });
    case "socket":
      return use({ ...parts, emitter: openSocket(values) });
    case "http":
      return use({ ...parts, emitter: openHttp(values) });
    case "elasticsearch":
    case "opensearch":
      return use({ ...parts, emitter: openSearch(values) });
    case "s3": {
      const { openS3 } = await import("./emitters/s3.ts");
      const { settings } = loaded.daemon;
      return use({ ...parts, emitter: await openS3(values, { settings, emit: () => {} }) });
    }
  }
}

/** Reports what is wrong with the settings, before the daemon starts the first child. */
export async function checkConnector(loaded: LoadedConnector): Promise<void> {
  const { check, close } = await withConnector(loaded, ({ emitter }) => ({
    check: () => emitter.check(),
    close: () => emitter.close(),
  }));
  await check().finally(close);
}
