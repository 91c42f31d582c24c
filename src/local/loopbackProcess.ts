// Runs a server script of another package as a child process that listens only on 127.0.0.1, on a
// free port, and that ends when this process ends for any reason. The script needs no change: a
// preloaded module controls where it listens.

import { type ChildProcess, spawn } from "node:child_process";
import type { Server } from "node:net";
import { UserError } from "../model/errors.ts";

export interface LoopbackProcess {
  /** Such as `http://127.0.0.1:41234`, without a slash at the end. */
  readonly url: string;
  readonly pid: number;
  /** Resolves when the process has ended, with text such as "exit code 1" or "SIGKILL". */
  readonly ended: Promise<string>;
  stop(): Promise<void>;
}

export interface LoopbackScript {
  readonly name: string;
  readonly script: string;
  readonly args: readonly string[] | ((port: number) => readonly string[]);
  readonly env: (port: number, otherPort: number) => Readonly<Record<string, string>>;
  /** 0 means any free port. */
  readonly port: number;
  /** The command-line option that the error names if the port is in use. */
  readonly portOption: string;
}

type Report =
  | { readonly listening: number }
  | { readonly failed: string; readonly message: string };

// The ports that the script is configured with. The preload replaces the first with the wanted
// port, and the second (a server that is not used, such as the TLS server of kinesis-local) with
// any free port. So no other process can take a free port between finding it and listening on it.
const MAIN_PORT = 1;
const OTHER_PORT = 2;

const START_LIMIT_MS = 30_000;
const KEPT_STDERR_CHARS = 4_000;

/**
 * Resolves when the script listens.
 *
 * @throws UserError when the port is in use; Error when the script ends first.
 */
export async function startOnLoopback(what: LoopbackScript): Promise<LoopbackProcess> {
  const args = typeof what.args === "function" ? what.args(MAIN_PORT) : what.args;
  const child = spawn(process.execPath, ["--import", preloadUrl(what.port), what.script, ...args], {
    // In its own session, so that Ctrl-C in the terminal reaches this process and not the service.
    detached: true,
    // Without NODE_OPTIONS: they may start a debugger or loader that is meant for this process
    // only.
    env: { ...process.env, NODE_OPTIONS: "", ...what.env(MAIN_PORT, OTHER_PORT) },
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  const lastStderr = keepStderr(child);
  const ended = new Promise<string>((resolve) => {
    child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
    child.once("error", (error) => resolve(error.message));
  });
  const stop = async (): Promise<void> => {
    // Nothing is on disk, so the process can be killed.
    child.kill("SIGKILL");
    await ended;
  };

  let timer: NodeJS.Timeout | undefined;
  const report = await Promise.race([
    new Promise<Report>((resolve) =>
      child.once("message", (message) => resolve(message as Report)),
    ),
    ended.then((how) => ({ failed: how, message: lastStderr() })),
    new Promise<Report>((resolve) => {
      const tooLate = {
        failed: `it did not listen within ${START_LIMIT_MS / 1000} s`,
        message: "",
      };
      timer = setTimeout(() => resolve(tooLate), START_LIMIT_MS);
    }),
  ]);
  clearTimeout(timer);
  if ("listening" in report && child.pid !== undefined) {
    return { url: `http://127.0.0.1:${report.listening}`, pid: child.pid, ended, stop };
  }
  await stop();
  throw startError(what, report);
}

function startError(what: LoopbackScript, report: Report): Error {
  if (!("failed" in report)) return new Error(`${what.name} has no process`);
  if (report.failed === "EADDRINUSE" || report.failed === "EACCES") {
    const why = report.failed === "EACCES" ? "may not be used by this user" : "is in use";
    return new UserError(
      `Port ${what.port} on 127.0.0.1 ${why}, so ${what.name} cannot start. Choose another port with ${what.portOption}, or leave the option out for any free port.`,
    );
  }
  return new Error(
    `${what.name} (${what.script}) did not start: ${report.failed}. ${report.message}`.trim(),
  );
}

function keepStderr(child: ChildProcess): () => string {
  let text = "";
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    text = (text + chunk).slice(-KEPT_STDERR_CHARS);
  });
  return () => text;
}

/**
 * The preloaded module as a `data:` URL, made from the function below. It works from `src` under
 * the test runner and from `dist`, and needs no file in the package.
 */
function preloadUrl(port: number): string {
  const code = `(${preload.toString()})(${JSON.stringify({ main: MAIN_PORT, other: OTHER_PORT, port })})`;
  return `data:text/javascript,${encodeURIComponent(code)}`;
}

/** Runs in the child, before the script. It must not use anything outside the function. */
function preload(ports: { main: number; other: number; port: number }): void {
  const { Server } = process.getBuiltinModule("node:net");
  const listen = Server.prototype.listen;
  Server.prototype.listen = function (this: Server, ...args: unknown[]) {
    const first = args[0];
    const asked = Number(
      typeof first === "object" && first !== null && "port" in first ? first.port : first,
    );
    const isMain = asked === ports.main;
    if (isMain) {
      this.once("listening", () => {
        const address = this.address();
        if (typeof address === "object") process.send?.({ listening: address?.port });
      });
      this.once("error", (error) => {
        const code = "code" in error ? error.code : error.name;
        process.send?.({ failed: code, message: error.message });
      });
    }
    const callback = args.find((arg) => typeof arg === "function");
    if (typeof callback === "function") this.once("listening", () => callback());
    return listen.call(this, { host: "127.0.0.1", port: isMain ? ports.port : 0 });
  } as typeof listen;
  // The channel closes when the parent ends, for any reason.
  process.on("disconnect", () => process.exit());
}
