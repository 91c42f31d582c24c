// `npm run docs`: writes docs/configuration.md from the keys that the daemon checks.

import { writeFile } from "node:fs/promises";
import { configurationPage } from "../.cache/js/config/docs/configurationPage.js";

await writeFile(new URL("./configuration.md", import.meta.url), configurationPage());
