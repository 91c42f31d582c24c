// The daemons that can be measured: ours, another build of ours, and the Java one.

import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { ROOT } from "./paths.ts";
import type { Command } from "./processes.ts";
import { JAVA_DAEMON, mavenLibrary } from "./tools.ts";

export interface Daemon {
  readonly label: string;
  readonly isJava: boolean;
  readonly command: (propertiesFile: string) => Command;
  /** Properties that only this daemon has. */
  readonly properties: Readonly<Record<string, string>>;
  /** The properties with which it polls a full shard as fast as it can. */
  readonly fastest: Readonly<Record<string, string>>;
}

export interface DaemonOptions {
  /** The built program to measure: `dist/main.js`. */
  readonly main: string;
  /** Another build of ours, to be measured beside it. */
  readonly baseline?: string;
  readonly java: boolean;
  readonly jvm: string;
  /** Node arguments, for our daemons. */
  readonly nodeArgs: string;
  /** A module that our daemons import. */
  readonly preload?: string;
  /** A folder for CPU profiles of our daemon. */
  readonly profileFolder?: string;
}

export async function chooseDaemons(options: DaemonOptions): Promise<readonly Daemon[]> {
  const { main, baseline, java, jvm, profileFolder } = options;
  const preload = options.preload ? ["--import", options.preload] : [];
  const nodeArgs = [...preload, ...options.nodeArgs.split(" ").filter(Boolean)];
  if (profileFolder) nodeArgs.push("--cpu-prof", "--cpu-prof-dir", profileFolder);
  const daemons = [nodeDaemon("kinesis-multilang", main, nodeArgs)];
  if (baseline) daemons.push(nodeDaemon("baseline", baseline, preload));
  if (java) daemons.push(await javaDaemon(jvm.split(" ").filter(Boolean)));
  return daemons;
}

function nodeDaemon(label: string, main: string, nodeArgs: readonly string[]): Daemon {
  const program = resolve(ROOT, main);
  return {
    label,
    isJava: false,
    command: (file) => [process.execPath, ...nodeArgs, program, "-p", file, "--log-format", "json"],
    properties: {},
    // By default it adapts, and polls at once while a shard is behind.
    fastest: {},
  };
}

async function javaDaemon(jvmArgs: readonly string[]): Promise<Daemon> {
  const library = await mavenLibrary(JAVA_DAEMON);
  // At its start it asks EC2's metadata address about the host, which takes long outside of EC2. A
  // proxy that refuses at once avoids the wait, in Java's favour.
  const offEc2 = [
    "-Dhttp.proxyHost=127.0.0.1",
    "-Dhttp.proxyPort=1",
    "-Dhttp.nonProxyHosts=127.0.0.1|localhost",
  ];
  return {
    label: [`Java ${JAVA_DAEMON.version}`, ...jvmArgs].join(" "),
    isJava: true,
    command: (file) => [
      "java",
      ...offEc2,
      ...jvmArgs,
      "-cp",
      join(library, "*"),
      "software.amazon.kinesis.multilang.MultiLangDaemon",
      "-p",
      file,
    ],
    properties: { AwsCredentialsProvider: "DefaultCredentialsProvider" },
    // It does not accept less.
    fastest: { idleTimeBetweenReadsInMillis: "200" },
  };
}

/** A description of the machine, for the tables. */
export function machine(): string {
  return `${availableParallelism()} cores, Node ${process.versions.node}`;
}
