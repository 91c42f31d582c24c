// A processor that a user started, at the other end of a socket. The daemon does not own the
// process: it can only exchange messages and close the connection.

import type { Socket } from "node:net";
import type { Clock } from "../../clock.ts";
import type { Emit } from "../../events.ts";
import type { ChildExit } from "../childFailed.ts";
import type { Counterpart } from "../counterpart.ts";
import { STDOUT_LINE_LIMIT_BYTES } from "../process/childProcess.ts";
import { Output } from "../process/output.ts";

export interface AttachedOptions {
  readonly shardId: string;
  readonly address: string;
  readonly clock: Clock;
  readonly emit: Emit;
}

/** How long it may take to close the connection after its input has ended. */
const CLOSE_GRACE_MS = 2_000;

export class AttachedProcess implements Counterpart {
  readonly pid = 0;
  readonly argv = [];
  readonly exited: Promise<ChildExit>;

  readonly #socket: Socket;
  readonly #options: AttachedOptions;
  readonly #output: Output;
  #endRequested = false;
  #hasEnded = false;
  #receive: (line: string) => Promise<void> | void = () => {};

  constructor(socket: Socket, options: AttachedOptions) {
    const { shardId, address, emit, clock } = options;
    this.#socket = socket;
    this.#options = options;
    emit({ type: "attached", shardId, address });
    this.#output = new Output(socket, {
      limitBytes: STDOUT_LINE_LIMIT_BYTES,
      hasMessages: true,
      clock,
      take: (line, cut) =>
        cut
          ? emit({ type: "childOutput", shardId, pid: this.pid, stream: "stdout", line })
          : this.#receive(line),
    });
    this.exited = this.#output.ended.then(() => this.#ended());
  }

  get shardId(): string {
    return this.#options.shardId;
  }

  get attachedTo(): string {
    return this.#options.address;
  }

  /** The socket is the only pipe, so the end of the output is the end of the processor. */
  get stdoutEnded(): Promise<void> {
    return this.exited.then(() => {});
  }

  get writtenBytes(): number {
    return this.#output.bytes;
  }

  get endRequested(): boolean {
    return this.#endRequested;
  }

  onLine(receive: (line: string) => Promise<void> | void): void {
    this.#receive = receive;
  }

  /** Its STDERR goes to the user's terminal, so none of it is known here. */
  lastOutput() {
    return { lastStdout: this.#output.lastLines(), lastStderr: [] };
  }

  write(pieces: readonly Buffer[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.cork();
      for (const piece of pieces.slice(0, -1)) this.#socket.write(piece);
      this.#socket.write(pieces.at(-1) ?? "", (error) => (error ? reject(error) : resolve()));
      this.#socket.uncork();
    });
  }

  closeStdin(): void {
    this.#endRequested = true;
    this.#socket.end();
  }

  async exitsWithin(ms: number): Promise<boolean> {
    const enough = new AbortController();
    await Promise.race([this.exited, this.#options.clock.sleep(ms, enough.signal)]);
    enough.abort();
    return this.#hasEnded;
  }

  async stop(): Promise<void> {
    this.closeStdin();
    if (await this.exitsWithin(CLOSE_GRACE_MS)) return;
    this.kill();
    await this.exited;
  }

  kill(): void {
    this.#endRequested = true;
    this.#socket.destroy();
  }

  #ended(): ChildExit {
    this.#hasEnded = true;
    this.#socket.destroy();
    const { shardId, address, emit } = this.#options;
    emit({ type: "detached", shardId, address, expected: this.#endRequested });
    return {};
  }
}
