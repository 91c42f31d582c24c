// `kinesis-multilang healthcheck ADDRESS`: asks a running daemon for its health, for images that
// have no curl.

import { Command } from "commander";
import { UserError } from "../model/errors.ts";
import { HTTP_ADDRESS_FORM, parseHttpAddress } from "../model/httpAddress.ts";
import { numberFrom } from "./numbers.ts";

interface HealthcheckOptions {
  readonly live: boolean;
  readonly timeout: number;
}

export function healthcheckCommand(): Command {
  return new Command("healthcheck")
    .summary("ask a running daemon whether it is ready")
    .description(
      "Asks the status server of a running daemon (httpListen) whether it is ready, and prints the answer. The exit code is 0 if it " +
        "is, and 1 otherwise.",
    )
    .argument("<address>", "where the daemon listens: HOST:PORT or unix:PATH")
    .option("--live", "ask whether it is alive, not whether it is ready", false)
    .option(
      "--timeout <seconds>",
      "how long to wait for the answer",
      numberFrom({ min: 0.1, max: 60 }),
      3,
    )
    .action(async (text: string, { live, timeout }: HealthcheckOptions) => {
      const address = parseHttpAddress(text);
      if (!address) throw new UserError(`${text} is no address: write ${HTTP_ADDRESS_FORM}.`);
      const { askStatus } = await import("../status/client.ts");
      const path = live ? "/livez" : "/readyz";
      const { status, body } = await askStatus(address, path, { timeoutMs: timeout * 1_000 });
      console.log(body.trim());
      if (status !== 200) process.exitCode = 1;
    });
}
