/** Pausing, saving and stopping between the steps of a run. */
import { MakeSomeNoiseError } from '../errors';

interface SaveRequest {
  resolve: (path: string) => void;
  reject: (error: unknown) => void;
}

/** The loop calls `betweenSteps`; the handle of the run calls everything else. */
export class RunControl {
  private paused = false;
  private waiting = false;
  private closed: { error: unknown } | { path: string } | undefined;
  private saveRequests: SaveRequest[] = [];
  private pauseRequests: Array<() => void> = [];
  private wake: (() => void) | undefined;

  private readonly onAbort = (): void => this.wake?.();

  constructor(private readonly signal: AbortSignal | undefined) {
    signal?.addEventListener('abort', this.onAbort);
  }

  /** Resolves when the step under way is done and the run stands still, at once when it has ended. */
  pause(): Promise<void> {
    if (this.closed !== undefined || (this.paused && this.waiting)) return Promise.resolve();
    this.paused = true;
    return new Promise((resolve) => this.pauseRequests.push(resolve));
  }

  resume(): void {
    this.paused = false;
    this.answerPauses();
    this.wake?.();
  }

  /** Resolves with the checkpoint's path when it is whole on the disk. */
  async save(): Promise<string> {
    if (this.closed === undefined) {
      const saved = new Promise<string>((resolve, reject) => this.saveRequests.push({ resolve, reject }));
      this.wake?.();
      return saved;
    }
    if ('path' in this.closed) return this.closed.path;
    throw this.closed.error;
  }

  /** Does what was asked for meanwhile, and holds the run while it is paused. Throws ERR_ABORTED. */
  async betweenSteps(save: () => Promise<string>): Promise<void> {
    for (;;) {
      this.throwIfAborted();
      await this.answerSaves(save);
      if (!this.paused) return;
      const woken = new Promise<void>((resolve) => (this.wake = resolve));
      this.waiting = true;
      this.answerPauses();
      // Something may have been asked for while the checkpoint was written.
      if (this.saveRequests.length === 0 && !this.signal?.aborted) await woken;
      this.waiting = false;
    }
  }

  throwIfAborted(): void {
    if (this.signal?.aborted) throw abortError(this.signal.reason);
  }

  /** Saves asked for during the last step. */
  async answerSaves(save: () => Promise<string>): Promise<void> {
    const requests = this.saveRequests.splice(0);
    if (requests.length === 0) return;
    try {
      const path = await save();
      for (const { resolve } of requests) resolve(path);
    } catch (error) {
      // The one who asked hears of it; the run itself can go on.
      for (const { reject } of requests) reject(error);
    }
  }

  /** The run has ended, with the folder of its model or with an error. */
  close(end: { error: unknown } | { path: string }): void {
    this.closed = end;
    this.signal?.removeEventListener('abort', this.onAbort);
    for (const { resolve, reject } of this.saveRequests.splice(0)) {
      if ('path' in end) resolve(end.path);
      else reject(end.error);
    }
    this.answerPauses();
  }

  private answerPauses(): void {
    for (const resolve of this.pauseRequests.splice(0)) resolve();
  }
}

export function abortError(cause: unknown): MakeSomeNoiseError {
  return new MakeSomeNoiseError('ERR_ABORTED', 'training was aborted; the last checkpoint stays', { cause });
}
