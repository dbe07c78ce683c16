/** From an AbortSignal to the token that native jobs poll. */
import { MakeSomeNoiseError } from '../errors';
import type { CancelToken, NativeModule } from './contract';

/** The error that a job ends with when its signal is raised; `cause` is the signal's reason. */
export function abortError(signal: AbortSignal | undefined): MakeSomeNoiseError {
  return new MakeSomeNoiseError('ERR_ABORTED', 'aborted by the signal', { cause: signal?.reason });
}

/**
 * Runs a native job that ends when the signal is raised.
 *
 * @throws MakeSomeNoiseError ERR_ABORTED, and whatever the job throws
 */
export async function cancellable<Result>(
  native: Pick<NativeModule, 'createCancelToken' | 'cancel'>,
  signal: AbortSignal | undefined,
  run: (token: CancelToken) => Promise<Result>,
): Promise<Result> {
  if (signal?.aborted) throw abortError(signal);
  const token = native.createCancelToken();
  const raise = () => native.cancel(token);
  signal?.addEventListener('abort', raise, { once: true });
  try {
    return await run(token);
  } catch (error) {
    throw signal?.aborted && isAbortError(error) ? abortError(signal) : error;
  } finally {
    signal?.removeEventListener('abort', raise);
  }
}

export function isAbortError(error: unknown): boolean {
  return error instanceof MakeSomeNoiseError && error.code === 'ERR_ABORTED';
}
