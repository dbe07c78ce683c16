/** The handle of a generation: a promise of the whole and an iterable of its parts. */
import { MakeSomeNoiseError } from '../errors';
import { EventLog } from '../event-log';
import type { GenerationStatistics } from './statistics';

/** What one step added. The texts of all chunks make the whole text, their tokens all tokens. */
export interface GenerationChunk {
  /** Never ends inside a code point; may be empty while a character or a possible stop string is incomplete. */
  text: string;
  tokens: Int32Array;
  /** Index of the step, from 0. */
  step: number;
}

/** A generated text. */
export interface GenerationResult {
  /** Without special tokens, and up to the stop string where one ended it. Empty without a tokenizer. */
  text: string;
  /** All new tokens, the ending one included. */
  tokens: Int32Array;
  /**
   * 'stop': an end-of-sequence token; 'stop-string'; 'length': maxNewTokens or the context length; 'aborted': the
   * signal was raised or the loop over the chunks was left.
   */
  finishReason: 'stop' | 'stop-string' | 'length' | 'aborted';
  stats: GenerationStatistics;
}

/** What runs: tells chunks as they come, returns the whole. `stop` ends it early. */
export type GenerationBody = (
  emit: (chunk: GenerationChunk) => void,
  stop: AbortSignal,
) => Promise<GenerationResult>;

/**
 * A generation that has begun. `await` it for the whole, iterate over it for the parts as they come, or both: every
 * listener gets all parts from the first one on. Leaving the loop stops the generation; what was awaited then resolves
 * with what there is, finishReason 'aborted'. An error reaches whoever waits or listens.
 */
export class Generation implements PromiseLike<GenerationResult>, AsyncIterable<GenerationChunk> {
  private readonly chunks = new EventLog<GenerationChunk>();
  private readonly stop = new AbortController();
  private readonly result: Promise<GenerationResult>;

  /** @internal */
  constructor(body: GenerationBody) {
    this.result = this.follow(body);
  }

  then<Fulfilled = GenerationResult, Rejected = never>(
    onFulfilled?: ((result: GenerationResult) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    return this.result.then(onFulfilled, onRejected);
  }

  catch<Rejected = never>(
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<GenerationResult | Rejected> {
    return this.result.catch(onRejected);
  }

  finally(onFinally?: (() => void) | null): Promise<GenerationResult> {
    return this.result.finally(onFinally);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<GenerationChunk, void, undefined> {
    // The error reaches this listener, so it is not unhandled even if nobody awaits the result.
    this.result.catch(() => undefined);
    try {
      yield* this.chunks;
    } finally {
      this.stop.abort(new MakeSomeNoiseError('ERR_ABORTED', 'the loop over the chunks was left'));
    }
  }

  private async follow(body: GenerationBody): Promise<GenerationResult> {
    try {
      const result = await body((chunk) => this.chunks.add(chunk), this.stop.signal);
      this.chunks.end();
      return result;
    } catch (error) {
      this.chunks.end({ error });
      throw error;
    }
  }
}
