// Runs somebody else's server script as a child process that listens on 127.0.0.1 alone, on a port that nobody had
// to guess, and that ends when we do, whatever ends us. The scripts know nothing of this: a preload steers them.

import { type ChildProcess, spawn } from "node:child_process";
import type { Server } from "node:net";
import { UserError } from "../model/errors.ts";

export interface LoopbackProcess {
  /** Like `http://127.0.0.1:41234`, without a slash at the end. */
  readonly url: string;
  readonly pid: number;
  /** Resolves with "exit code 1" or "SIGKILL" when the process has ended, for whatever reason. */
  readonly ended: Promise<string>;
  stop(): Promise<void>;
}

export interface LoopbackScript {
  readonly name: string;
  readonly script: string;
  readonly args: readonly string[] | ((port: number) => readonly string[]);
  readonly env: (port: number, otherPort: number) => Readonly<Record<string, string>>;
  /** 0 = any free port. */
  readonly port: number;
  /** The command-line option to name when the port is taken. */
  readonly portOption: string;
}

type Report =
  | { readonly listening: number }
  | { readonly failed: string; readonly message: string };

// What we tell the script to listen on. The preload turns the first into the port that is wanted, and the second
// (a server that we have no use for, such as kinesis-local's TLS one) into any free port. That leaves no moment
// between finding a free port and taking it.
const MAIN_PORT = 1;
const OTHER_PORT = 2;

const START_LIMIT_MS = 30_000;
const KEPT_STDERR_CHARS = 4_000;

/** Resolves when the script listens. @throws UserError when the port is taken; Error when the script ends first. */
export async function startOnLoopback(what: LoopbackScript): Promise<LoopbackProcess> {
  const args = typeof what.args === "function" ? what.args(MAIN_PORT) : what.args;
  const child = spawn(process.execPath, ["--import", preloadUrl(what.port), what.script, ...args], {
    // A session of its own, so that Ctrl-C in the terminal reaches us and not the services under our feet.
    detached: true,
    // Without NODE_OPTIONS: a debugger or loader meant for us is not meant for them.
    env: { ...process.env, NODE_OPTIONS: "", ...what.env(MAIN_PORT, OTHER_PORT) },
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  const lastWords = keepLastWords(child);
  const ended = new Promise<string>((resolve) => {
    child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
    child.once("error", (error) => resolve(error.message));
  });
  const stop = async (): Promise<void> => {
    // Nothing is on disk, so there is nothing to be gentle with.
    child.kill("SIGKILL");
    await ended;
  };

  let timer: NodeJS.Timeout | undefined;
  const report = await Promise.race([
    new Promise<Report>((resolve) =>
      child.once("message", (message) => resolve(message as Report)),
    ),
    ended.then((how) => ({ failed: how, message: lastWords() })),
    new Promise<Report>((resolve) => {
      const tooLate = { failed: `silence for ${START_LIMIT_MS / 1000} s`, message: "" };
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
    const why = report.failed === "EACCES" ? "is not ours to use" : "is taken";
    return new UserError(
      `Port ${what.port} on 127.0.0.1 ${why}, so ${what.name} cannot start. Choose another with ${what.portOption}, or leave the option out for any free port.`,
    );
  }
  return new Error(
    `${what.name} (${what.script}) did not start: ${report.failed}. ${report.message}`.trim(),
  );
}

function keepLastWords(child: ChildProcess): () => string {
  let text = "";
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    text = (text + chunk).slice(-KEPT_STDERR_CHARS);
  });
  return () => text;
}

/**
 * The preload as a `data:` URL, made from the function below: it works the same from `src` under the test runner
 * and from `dist`, and needs no file that a packer could forget.
 */
function preloadUrl(port: number): string {
  const code = `(${preload.toString()})(${JSON.stringify({ main: MAIN_PORT, other: OTHER_PORT, port })})`;
  return `data:text/javascript,${encodeURIComponent(code)}`;
}

/** Runs in the child, before the script. It must not touch anything outside its own braces. */
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
  // The channel closes when the parent ends, however it ends.
  process.on("disconnect", () => process.exit());
}
