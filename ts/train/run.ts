/** The handle of a training run: a promise of its result and an iterable of its events. */
import type { RunControl } from './control';
import { EventLog } from '../event-log';
import type { TrainingEvent, TrainingResult } from './events';

/** What runs: gets a place to tell events to, returns the result. */
export type TrainingBody = (emit: (event: TrainingEvent) => void) => Promise<TrainingResult>;

/**
 * A run that has begun. `await` it for the result, iterate over it for the events. It goes on whether or not somebody
 * listens; every listener gets all events from the first one on, and leaving the loop does not stop the run (the
 * `signal` option does). An error reaches whoever waits or listens.
 */
export class TrainingRun implements PromiseLike<TrainingResult>, AsyncIterable<TrainingEvent> {
  private readonly events = new EventLog<TrainingEvent>();
  private readonly result: Promise<TrainingResult>;

  /** For `train`; the run begins with the next turn of the event loop. */
  constructor(
    private readonly control: RunControl,
    body: TrainingBody,
  ) {
    this.result = this.follow(body);
  }

  then<Fulfilled = TrainingResult, Rejected = never>(
    onFulfilled?: ((result: TrainingResult) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    return this.result.then(onFulfilled, onRejected);
  }

  catch<Rejected = never>(
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<TrainingResult | Rejected> {
    return this.result.catch(onRejected);
  }

  finally(onFinally?: (() => void) | null): Promise<TrainingResult> {
    return this.result.finally(onFinally);
  }

  [Symbol.asyncIterator](): AsyncIterator<TrainingEvent> {
    // The error reaches this listener, so it is not unhandled even if nobody awaits the result.
    this.result.catch(() => undefined);
    return this.events[Symbol.asyncIterator]();
  }

  /** Resolves when the step under way is done and the run stands still; memory and device stay held. */
  pause(): Promise<void> {
    return this.control.pause();
  }

  /** Goes on after `pause`. */
  resume(): void {
    this.control.resume();
  }

  /**
   * Writes a checkpoint behind the step under way, also while paused, and resolves with its path. Of a run that has
   * ended it gives the model's folder.
   * @throws MakeSomeNoiseError ERR_CHECKPOINT when it cannot be written (the run itself goes on), or what the run
   * itself failed with
   */
  save(): Promise<string> {
    return this.control.save();
  }

  private async follow(body: TrainingBody): Promise<TrainingResult> {
    try {
      await new Promise((resolve) => setImmediate(resolve));
      const result = await body((event) => this.events.add(event));
      this.control.close({ path: result.model });
      this.events.end();
      return result;
    } catch (error) {
      this.control.close({ error });
      this.events.end({ error });
      throw error;
    }
  }
}
