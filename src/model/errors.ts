// Errors that more than one folder knows, named as the Kinesis Client Library names them where a child sees the name.

/** The words that a child may find in the `error` of a checkpoint's answer. */
export type CheckpointErrorName =
  | "ThrottlingException"
  | "ShutdownException"
  | "InvalidStateException"
  | "KinesisClientLibDependencyException"
  | "IllegalArgumentException";

/** A checkpoint that was not stored; `name` is what the child is told. */
export class CheckpointError extends Error {
  override readonly name: CheckpointErrorName;

  constructor(name: CheckpointErrorName, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = name;
  }
}

/** Something that the person who started us can put right: shown as a message without a stack, exit code 1. */
export class UserError extends Error {
  override readonly name = "UserError";
}
