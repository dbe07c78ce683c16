/** Text from a model: options in, a handle of the generation out. */
import { z } from 'zod';
import { chatMessages } from '../model/tokenizer';
import { internalsOf, modelSchema, type Model } from '../model/model';
import { abortError, cancellable, isAbortError } from '../native/cancel';
import type { NativeDecodingStep } from '../native/contract';
import { abortSignal, boolean, either, integer, options, text, tokenIds, validate } from '../validate';
import { decodingSchema, nativeDecoding, type DecodingOptions } from './decoding';
import { Generation, type GenerationChunk, type GenerationResult } from './generation';
import { checkExactlyOne, promptTokens, type Prompt } from './prompt';
import { nativeSampling, samplingSchema, type SamplingOptions } from './sampling';
import { StatisticsCounter } from './statistics';
import { TextStream } from './text-stream';

/** What to generate, and how. */
export interface GenerateOptions extends Prompt {
  /** Most new tokens, exactly; default 256. The context length ends a text, too. */
  maxNewTokens?: number | undefined;
  /** Texts that end the text; they are not part of it. One or several. */
  stop?: string | readonly string[] | undefined;
  /** Token ids that end the text; default: the model's; [] for none. */
  eosTokens?: ArrayLike<number> | undefined;
  sampling?: SamplingOptions | undefined;
  decoding?: DecodingOptions | undefined;
  /** Ends the generation within one step, with what there is. */
  signal?: AbortSignal | undefined;
  /** Reject with ERR_ABORTED instead when the signal is raised; default false. */
  throwOnAbort?: boolean | undefined;
}

const stopString = () =>
  text('a string that is not empty').refine((value) => value !== '', 'a string that is not empty');

const generateSchema = options({
  prompt: text().optional(),
  tokens: tokenIds().optional(),
  messages: chatMessages().optional(),
  maxNewTokens: integer(1, 0x7fffffff).default(256),
  stop: either('a string or an array of strings', [stopString(), z.array(stopString())] as const).default([]),
  eosTokens: tokenIds().optional(),
  sampling: samplingSchema.prefault({}),
  decoding: decodingSchema.prefault({}),
  signal: abortSignal().optional(),
  throwOnAbort: boolean().default(false),
});

type CheckedOptions = z.output<typeof generateSchema>;

/**
 * Generates text. The generation begins at once; await the handle for the whole or iterate over it for the parts.
 * Greedy text is, token for token, that of ordinary decoding, whatever the decoding options are; with sampling the same
 * holds for one seed. Generations on one model run one after another.
 *
 * @throws MakeSomeNoiseError (the handle rejects) ERR_INVALID_ARGUMENT for options, token ids or a prompt that the
 *   model cannot take, ERR_UNSUPPORTED for text without a tokenizer, ERR_OUT_OF_MEMORY, ERR_DISPOSED, ERR_ABORTED with
 *   throwOnAbort
 * @example
 * const generation = generate(model, { prompt: 'Once upon a time', maxNewTokens: 200 });
 * for await (const chunk of generation) process.stdout.write(chunk.text);
 * const { finishReason, stats } = await generation;
 */
export function generate(model: Model, given: GenerateOptions): Generation {
  return new Generation(async (emit, stop) => {
    validate(modelSchema(), model, 'model');
    const wanted = validate(generateSchema, given);
    checkExactlyOne(wanted, ['prompt', 'tokens', 'messages']);
    const signal = wanted.signal === undefined ? stop : AbortSignal.any([wanted.signal, stop]);
    const result = await runGeneration(model, wanted, signal, emit);
    if (wanted.throwOnAbort && result.finishReason === 'aborted' && wanted.signal?.aborted) {
      throw abortError(wanted.signal);
    }
    return result;
  });
}

async function runGeneration(
  model: Model,
  wanted: CheckedOptions,
  signal: AbortSignal,
  emit: (chunk: GenerationChunk) => void,
): Promise<GenerationResult> {
  const { module, native, description } = internalsOf(model);
  const stopStrings = typeof wanted.stop === 'string' ? [wanted.stop] : wanted.stop;
  const decoder =
    stopStrings.length > 0 || model.hasTokenizer ? model.tokenizer.incrementalDecoder() : undefined;
  const prompt = await promptTokens(model, wanted);
  const output = new Output(new TextStream(decoder, stopStrings), prompt.length, emit);
  const full = new AbortController();
  let finished: Promise<void> = Promise.resolve();
  const take = (step: NativeDecodingStep) => {
    finished = finished.then(async () => {
      await output.take(step);
      if (output.finishReason !== undefined) full.abort();
    });
    // A failure is thrown below; here it only must not count as unhandled.
    finished.catch(() => full.abort());
  };
  try {
    await cancellable(module, AbortSignal.any([signal, full.signal]), (token) =>
      native.generate(
        {
          prompt,
          maxNewTokens: wanted.maxNewTokens,
          endOfSequence: wanted.eosTokens ?? description.eosTokens,
          ...nativeSampling(wanted.sampling),
          ...nativeDecoding(module, wanted.decoding, native.device.kind),
        },
        (milliseconds) => (output.statistics.prefillMs = milliseconds),
        take,
        token,
      ),
    );
  } catch (error) {
    if (!isAbortError(error)) throw error;
  }
  await finished;
  return output.result();
}

/** Collects what the steps give, until the text is complete. */
class Output {
  finishReason: GenerationResult['finishReason'] | undefined;
  readonly statistics: StatisticsCounter;
  private text = '';
  private readonly tokens: number[] = [];
  private steps = 0;

  constructor(
    private readonly stream: TextStream,
    promptLength: number,
    private readonly emit: (chunk: GenerationChunk) => void,
  ) {
    this.statistics = new StatisticsCounter(promptLength);
  }

  async take(step: NativeDecodingStep): Promise<void> {
    // A stop string ended the text; the native side had gone on for a step or two.
    if (this.finishReason !== undefined) return;
    const { text, taken, stopped } = await this.stream.push(step.tokens);
    const tokens = step.tokens.subarray(0, taken);
    this.statistics.add(step, taken);
    if (stopped) this.finishReason = 'stop-string';
    else if (step.finish !== '') this.finishReason = step.finish;
    this.tell(this.steps++, step.finish === '' || stopped ? text : text + (await this.rest()), tokens);
  }

  async result(): Promise<GenerationResult> {
    if (this.finishReason === undefined) {
      this.finishReason = 'aborted';
      const rest = await this.rest();
      if (rest !== '') this.tell(this.steps - 1, rest, new Int32Array());
    }
    return {
      text: this.text,
      tokens: Int32Array.from(this.tokens),
      finishReason: this.finishReason,
      stats: this.statistics.result,
    };
  }

  private async rest(): Promise<string> {
    const { text, stopped } = await this.stream.finish();
    if (stopped) this.finishReason = 'stop-string';
    return text;
  }

  private tell(step: number, text: string, tokens: Int32Array): void {
    this.text += text;
    for (const token of tokens) this.tokens.push(token);
    this.emit({ text, tokens, step });
  }
}
