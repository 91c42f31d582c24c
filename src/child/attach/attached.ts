// A processor that a person started, at the other end of a socket: nothing of it is ours but the conversation.

import type { Socket } from "node:net";
import type { Clock } from "../../clock.ts";
import type { Emit } from "../../events.ts";
import type { ChildExit } from "../childFailed.ts";
import type { Counterpart } from "../counterpart.ts";
import { Output } from "../process/output.ts";
import { STDOUT_LINE_LIMIT_BYTES } from "../process/process.ts";

export interface AttachedOptions {
  readonly shardId: string;
  readonly address: string;
  readonly clock: Clock;
  readonly emit: Emit;
}

/** How long it may take to hang up after its input ended. It has nothing more to say then, and is not ours to end. */
const HANG_UP_MS = 2_000;

export class AttachedProcess implements Counterpart {
  readonly pid = 0;
  readonly argv = [];
  readonly exited: Promise<ChildExit>;

  readonly #socket: Socket;
  readonly #options: AttachedOptions;
  readonly #output: Output;
  #toldToEnd = false;
  #hasEnded = false;
  #hear: (line: string) => Promise<void> | void = () => {};

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
          : this.#hear(line),
    });
    this.exited = this.#output.ended.then(() => this.#ended());
  }

  get shardId(): string {
    return this.#options.shardId;
  }

  get attachedTo(): string {
    return this.#options.address;
  }

  /** One socket is both pipes: the end of the one is the end of all. */
  get stdoutEnded(): Promise<void> {
    return this.exited.then(() => {});
  }

  get writtenBytes(): number {
    return this.#output.bytes;
  }

  get toldToEnd(): boolean {
    return this.#toldToEnd;
  }

  listen(hear: (line: string) => Promise<void> | void): void {
    this.#hear = hear;
  }

  /** Its STDERR is in the person's own terminal. */
  lastWords() {
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
    this.#toldToEnd = true;
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
    if (await this.exitsWithin(HANG_UP_MS)) return;
    this.kill();
    await this.exited;
  }

  kill(): void {
    this.#toldToEnd = true;
    this.#socket.destroy();
  }

  #ended(): ChildExit {
    this.#hasEnded = true;
    this.#socket.destroy();
    const { shardId, address, emit } = this.#options;
    emit({ type: "detached", shardId, address, expected: this.#toldToEnd });
    return {};
  }
}
