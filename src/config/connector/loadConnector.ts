// Loads a connector's settings: one properties file has the keys of the daemon and those of the
// connector. Files of the Kinesis Connector Library are accepted.

import { dirname } from "node:path";
import { nearest } from "../../nearest.ts";
import { commandText } from "../childCommand.ts";
import { ConfigError, type ConfigNotice, type ConfigProblem, type Source } from "../configError.ts";
import { isKey, type Key } from "../keys.ts";
import { type LoadedSettings, loadSettings } from "../loadSettings.ts";
import { canonicalName, environmentName, flagName } from "../names.ts";
import { readPropertiesFile } from "../propertiesFile.ts";
import type { PropertyEntry } from "../propertiesText.ts";
import { resolveReferences } from "../references.ts";
import { isSecretName, MASK } from "../secrets.ts";
import {
  type ConnectorKey,
  type ConnectorValues,
  connectorKeys,
  connectorSchema,
  type DestinationName,
  isConnectorKey,
} from "./connectorKeys.ts";
import { LIBRARY_ALIASES, LIBRARY_IGNORED, libraryName } from "./libraryNames.ts";

export interface ConnectorInput {
  readonly file?: string | undefined;
  /** Key of the daemon or of the connector → text; they override the file. */
  readonly flags?: Readonly<Record<string, string>>;
  /** Key of the connector → text; both the file and the flags override them. */
  readonly defaults?: Readonly<Partial<Record<ConnectorKey, string>>>;
  /** The socket that joins the output of all shards: see connectors/outlet.ts. */
  readonly outlet?: string;
}

export interface LoadedConnector {
  readonly outlet: string | undefined;
  readonly values: ConnectorValues & { readonly connectorDestination: DestinationName };
  readonly daemon: LoadedSettings;
  /** The folder in which relative paths begin that name a module. */
  readonly folder: string;
}

interface Given {
  readonly text: string;
  readonly source: Source;
}

interface Gathered {
  readonly given: ReadonlyMap<ConnectorKey, Given>;
  readonly daemonEntries: readonly PropertyEntry[];
  readonly daemonFlags: Readonly<Record<string, string>>;
  readonly notices: readonly ConfigNotice[];
  readonly problems: readonly ConfigProblem[];
}

/**
 * @param command the program that processes the records of a shard, and its arguments.
 * @throws ConfigError with all problems of the connector, or else all problems of the daemon.
 */
export function loadConnector(input: ConnectorInput, command: readonly string[]): LoadedConnector {
  const folder = input.file === undefined ? "." : dirname(input.file);
  const gathered = gather(input, folder);
  const problems = [...gathered.problems];
  const values = valuesOf(gathered.given, problems);
  const connectorDestination = values.connectorDestination ?? impliedBy(gathered.given);
  if (connectorDestination === undefined && problems.length === 0) {
    const allowed = connectorSchema.shape.connectorDestination.unwrap().description;
    const message = `is missing: it names the kind of target (--to on the command line); allowed: ${allowed}`;
    problems.push({ key: "connectorDestination", message });
  }
  if (problems.length > 0 || connectorDestination === undefined) throw new ConfigError(problems);
  const daemon = loadDaemon(input, gathered, connectorDestination, command);
  return { values: { ...values, connectorDestination }, daemon, folder, outlet: input.outlet };
}

function gather({ file, flags = {}, defaults = {} }: ConnectorInput, folder: string): Gathered {
  const given = new Map<ConnectorKey, Given>();
  const daemonEntries: PropertyEntry[] = [];
  const daemonFlags: Record<string, string> = {};
  const notices: ConfigNotice[] = [];
  const problems: ConfigProblem[] = [];
  const resolved = (key: ConnectorKey, written: string, source: Source) => {
    const { text, problems: unresolved } = resolveReferences(written, {
      environment: process.env,
      folder,
    });
    problems.push(...unresolved.map((message) => ({ key, source, message })));
    given.set(key, { text, source });
  };
  for (const [key, text] of Object.entries(defaults)) {
    if (isConnectorKey(key)) given.set(key, { text, source: { type: "default" } });
  }
  for (const entry of file === undefined ? [] : readPropertiesFile(file).entries) {
    const name = libraryName(entry.key);
    const source: Source = { type: "file", file: file ?? "", line: entry.line };
    const reason = LIBRARY_IGNORED[name];
    if (isConnectorKey(name)) resolved(name, entry.value, source);
    else if (reason !== undefined) {
      notices.push({ level: "info", source, key: entry.key, message: `has no effect: ${reason}` });
    } else daemonEntries.push({ ...entry, key: LIBRARY_ALIASES[name] ?? entry.key });
  }
  for (const [name, text] of Object.entries(flags)) {
    if (isConnectorKey(name)) resolved(name, text, { type: "flag", name: flagName(name) });
    else daemonFlags[LIBRARY_ALIASES[name] ?? name] = text;
  }
  return { given, daemonEntries, daemonFlags, notices, problems };
}

function valuesOf(
  given: ReadonlyMap<ConnectorKey, Given>,
  problems: ConfigProblem[],
): ConnectorValues {
  const texts = Object.fromEntries([...given].map(([key, { text }]) => [key, text]));
  const parsed = connectorSchema.safeParse(texts);
  if (parsed.success) return parsed.data;
  for (const { path, message } of parsed.error.issues) {
    const key = path[0] as ConnectorKey;
    const { text = "", source } = given.get(key) ?? {};
    const found = isSecretName(key) ? MASK : `"${text}"`;
    const where = source && { source };
    problems.push({ key, ...where, message: `found ${found}; allowed: ${message}` });
    delete texts[key];
  }
  return connectorSchema.parse(texts);
}

/** Files of the library need not name their target: their program did. */
function impliedBy(given: ReadonlyMap<ConnectorKey, Given>): DestinationName | undefined {
  if (given.has("elasticsearchEndpoint")) return "elasticsearch";
  return given.has("s3Bucket") ? "s3" : undefined;
}

/** Defaults of a connector where the daemon has another one, or none. */
function loadDaemon(
  { file }: ConnectorInput,
  { daemonEntries, daemonFlags, notices }: Gathered,
  destination: DestinationName,
  command: readonly string[],
): LoadedSettings {
  const keys = new Map(daemonEntries.map(({ key, value }) => [canonicalName(key), value]));
  for (const [name, value] of Object.entries(daemonFlags)) keys.set(canonicalName(name), value);
  const given = (key: Key) => process.env[environmentName(key)] ?? keys.get(key);
  const application = `${given("streamName") ?? ""}-to-${destination}`;
  const flags: Record<string, string> = {
    ...(!given("initialPositionInStream") && { initialPositionInStream: "TRIM_HORIZON" }),
    ...(!given("applicationName") && { applicationName: application }),
    ...daemonFlags,
    executableName: commandText(command),
    // A connector stores its checkpoint when it has the turn.
    callProcessRecordsEvenForEmptyRecordList: "true",
  };
  const loaded = loadSettings({ file, flags, entries: daemonEntries });
  const unneeded = (notice: ConfigNotice) =>
    // The connector itself sends records there.
    notice.key === "onFailureDestination" || notice.key === "executableName";
  const warnings = [...notices, ...loaded.warnings.filter((notice) => !unneeded(notice))];
  return { ...loaded, warnings: warnings.map(withSuggestion) };
}

/** An unknown key may be a misspelled key of the connector. */
function withSuggestion(notice: ConfigNotice): ConfigNotice {
  const { key = "", message } = notice;
  if (isKey(canonicalName(key)) || message !== "unknown key, ignored") return notice;
  const meant = nearest(key, connectorKeys);
  return meant === undefined
    ? notice
    : { ...notice, message: `${message}; did you mean ${meant}?` };
}
