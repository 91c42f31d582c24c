// tinyproxy, a real HTTP proxy, which asks for a user name and a password.

import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { execa } from "execa";
import { onTestFinished } from "vitest";
import { temporaryFolder } from "./daemon.ts";
import { until } from "./emulators.ts";
import type { Missing } from "./python.ts";

export interface Tinyproxy {
  /** With the user name and the password. */
  readonly url: string;
  readonly port: number;
  /** The requests so far: "CONNECT 10.0.0.1:443", "POST http://…". */
  requests(): Promise<readonly string[]>;
}

const USER = "daemon";
const PASSWORD = "hunter2";

/** Starts a proxy that ends with the test, or returns why there is none. */
export async function tinyproxyOrReason(): Promise<Tinyproxy | Missing> {
  const { failed } = await execa("tinyproxy", ["-v"], { reject: false });
  if (failed) return { missing: "tinyproxy is not installed (tinyproxy in Debian)" };
  const folder = await temporaryFolder();
  const port = await freePort();
  const log = join(folder, "log");
  const lines = [
    `Port ${port}`,
    "Listen 127.0.0.1",
    "Timeout 600",
    "MaxClients 100",
    "Allow 127.0.0.1",
    `BasicAuth ${USER} ${PASSWORD}`,
    `LogFile "${log}"`,
    "LogLevel Connect",
  ];
  await writeFile(join(folder, "conf"), `${lines.join("\n")}\n`);
  const proxy = execa("tinyproxy", ["-d", "-c", join(folder, "conf")], {
    reject: false,
    stdin: "ignore",
  });
  onTestFinished(async () => {
    proxy.kill("SIGKILL");
    await proxy;
  });
  const text = () => readFile(log, "utf8").catch(() => "");
  await until("tinyproxy to listen", () => accepts(port));
  return {
    url: `http://${USER}:${PASSWORD}@127.0.0.1:${port}`,
    port,
    requests: async () =>
      [...(await text()).matchAll(/Request \(file descriptor \d+\): (\S+ \S+) HTTP/g)].map(
        ([, request = ""]) => request,
      ),
  };
}

export async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  const accepted = await once(socket, "connect").then(
    () => true,
    () => false,
  );
  socket.destroy();
  return accepted;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}
