// `kinesis-multilang pipe`: writes the records of a stream to STDOUT, to a socket or to a URL, for
// programs that cannot read Kinesis.

import { Command } from "commander";
import type { HeldSignals } from "../heldSignals.ts";
import { UserError } from "../model/errors.ts";
import { property, runConnector } from "./connect.ts";
import { type DaemonOptions, daemonOptions } from "./run.ts";

interface PipeOptions extends DaemonOptions {
  readonly propertiesFile?: string;
  readonly to?: string;
  readonly stream?: string;
  readonly set: Readonly<Record<string, string>>;
}

/** A record does not wait for others, and is not changed. The file may set other values. */
const DEFAULTS = { transformer: "text", bufferMillisecondsLimit: "0" };

export function pipeCommand(signals: HeldSignals): Command {
  const command = new Command("pipe")
    .summary("write a stream to STDOUT, a socket or a URL")
    .description(
      "Writes the records of a stream to STDOUT, one a line: pipe --stream words | jq. The position is stored once the reader has the records.",
    )
    .option("-p, --properties-file <file>", "the properties file of daemon and connector")
    .option("--to <reader>", "unix:PATH, tcp:HOST:PORT or a URL instead of STDOUT")
    .option("--stream <name>", "the stream (streamName)")
    .option("--set <key=value>", "any other property; may be repeated", property, {});
  for (const option of daemonOptions()) command.addOption(option);
  return command.action(
    async ({ propertiesFile: file, to, stream, set, ...options }: PipeOptions) => {
      const flags = {
        ...set,
        ...(stream !== undefined && { streamName: stream }),
        ...readerProperties(to),
        ...(options.http !== undefined && { httpListen: options.http }),
      };
      process.exitCode = await runConnector({ file, flags, defaults: DEFAULTS }, options, signals);
    },
  );
}

function readerProperties(to: string | undefined): Readonly<Record<string, string>> {
  if (to === undefined) return { connectorDestination: "stdout" };
  if (/^https?:/.test(to)) return { connectorDestination: "http", url: to };
  if (/^(unix|tcp):/.test(to)) return { connectorDestination: "socket", address: to };
  throw new UserError(
    `--to ${to} is unknown. Allowed: unix:PATH, tcp:HOST:PORT, http://… or https://…`,
  );
}
