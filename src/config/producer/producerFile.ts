// Whether a properties file is that of a producer: it has a key that only producers know, and no
// key that every daemon needs.

import { isKey } from "../keys.ts";
import { canonicalName } from "../names.ts";
import { readPropertiesFile } from "../propertiesFile.ts";
import { isProducerName } from "./loadProducer.ts";

const DAEMON_KEYS = ["executableName", "applicationName"];

export function isProducerFile(file: string): boolean {
  const names = readPropertiesFile(file).entries.map(({ key }) => key);
  return (
    !names.some((name) => DAEMON_KEYS.includes(canonicalName(name))) &&
    names.some((name) => isProducerName(name) && !isKey(canonicalName(name)))
  );
}
