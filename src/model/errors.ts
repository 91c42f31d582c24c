// Errors that more than one folder knows, named as the Kinesis Client Library names them where a
// child sees the name.

/** The possible values of `error` in the answer to a child's checkpoint. */
export type CheckpointErrorName =
  | "ThrottlingException"
  | "ShutdownException"
  | "InvalidStateException"
  | "KinesisClientLibDependencyException"
  | "IllegalArgumentException";

/** A checkpoint that was not stored. The child receives `name`. */
export class CheckpointError extends Error {
  override readonly name: CheckpointErrorName;

  constructor(name: CheckpointErrorName, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = name;
  }
}

/** An error that the user can fix: shown as a message without a stack trace, with exit code 1. */
export class UserError extends Error {
  override readonly name = "UserError";
}
