// `npm run schemas`: writes protocol/schemas from the schemas that the daemon reads messages by.

import { mkdir, writeFile } from "node:fs/promises";
import { jsonSchemas } from "../.cache/js/transcript/jsonSchemas.js";

const folder = new URL("./schemas/", import.meta.url);
await mkdir(folder, { recursive: true });
for (const [name, text] of jsonSchemas()) await writeFile(new URL(name, folder), text);
