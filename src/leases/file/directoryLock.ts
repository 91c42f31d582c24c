// The lock that gives a directory to one process. The owner listens on a Unix socket in it, which
// the kernel closes when the process ends, however it ends. So a lock that nobody answers is free,
// and there is nothing to clean up after a crash.
//
// Locks are numbered. Whoever finds that the owner of the highest lock is dead creates the next
// number, which only one process can do (EEXIST). A lock that is deleted could be created twice, so
// the highest two stay: a process that lists the directory meanwhile sees at least one of them. The
// socket listens before its lock appears, so a living owner always answers.

import { existsSync } from "node:fs";
import { type FileHandle, link, open, readdir, rm } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { basename } from "node:path";

const LOCK = /^lock-(\d+)$/;

export class DirectoryLock {
  readonly #directory: FileHandle;
  readonly #server: Server;

  private constructor(directory: FileHandle, server: Server) {
    this.#directory = directory;
    this.#server = server;
  }

  /**
   * @returns `undefined` when another process, or another application in this one, has the
   *   directory.
   */
  static async claim(path: string): Promise<DirectoryLock | undefined> {
    const directory = await open(path, "r");
    let server: Server | undefined;
    try {
      const place = placeOf(directory, path);
      const draft = `${place}/.lock-${process.pid}-${Math.random().toString(36).slice(2)}`;
      server = await listen(draft);
      const isOurs = await claimNext(place, draft);
      await rm(draft, { force: true });
      if (isOurs) return new DirectoryLock(directory, server);
    } catch (error) {
      server?.close();
      await directory.close();
      throw error;
    }
    server.close();
    await directory.close();
    return undefined;
  }

  /** Whether a living process has the directory. */
  static async isHeld(path: string): Promise<boolean> {
    const directory = await open(path, "r");
    try {
      const place = placeOf(directory, path);
      const highest = Math.max(0, ...(await numbers(place)));
      return highest > 0 && (await isAlive(`${place}/lock-${highest}`));
    } finally {
      await directory.close();
    }
  }

  async release(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await this.#directory.close();
  }
}

/** A short name of the directory, because the path of a socket has at most 107 bytes. */
function placeOf({ fd }: FileHandle, path: string): string {
  const short = `/proc/self/fd/${fd}`;
  return existsSync(short) ? short : path;
}

async function claimNext(place: string, draft: string): Promise<boolean> {
  for (;;) {
    const all = await numbers(place);
    const highest = Math.max(0, ...all);
    if (highest > 0 && (await isAlive(`${place}/lock-${highest}`))) return false;
    try {
      await link(draft, `${place}/lock-${highest + 1}`);
    } catch (error) {
      if (codeOf(error) === "EEXIST") continue;
      throw error;
    }
    for (const older of all.filter((number) => number < highest)) {
      await rm(`${place}/lock-${older}`, { force: true });
    }
    return true;
  }
}

async function numbers(place: string): Promise<readonly number[]> {
  const names = await readdir(place);
  return names.flatMap((name) => {
    const [, number] = LOCK.exec(basename(name)) ?? [];
    return number === undefined ? [] : [Number(number)];
  });
}

function listen(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.unref();
    server.once("error", reject);
    server.listen(path, () => resolve(server));
  });
}

/** Only a refused connection proves that nobody listens. */
function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error) => {
      const code = codeOf(error);
      resolve(code !== "ECONNREFUSED" && code !== "ENOENT" && code !== "ENOTSOCK");
    });
  });
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
