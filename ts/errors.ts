/** The stable codes of {@link MakeSomeNoiseError}. */
export type ErrorCode =
  | 'ERR_INVALID_ARGUMENT'
  | 'ERR_MODEL_FORMAT'
  | 'ERR_UNSUPPORTED'
  | 'ERR_OUT_OF_MEMORY'
  | 'ERR_DEVICE'
  | 'ERR_ABORTED'
  | 'ERR_DISPOSED'
  | 'ERR_CHECKPOINT'
  | 'ERR_DATA'
  | 'ERR_INTERNAL';

/** Every error of this package: `code` is stable, `message` says what, where and what to do. */
export class MakeSomeNoiseError extends Error {
  override readonly name = 'MakeSomeNoiseError';
  constructor(
    readonly code: ErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
