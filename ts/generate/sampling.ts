/** How the next token is chosen: the `sampling` options. */
import type { z } from 'zod';
import type { NativeGenerationRequest } from '../native/contract';
import { integer, number, numberAbove, options, seed } from '../validate';

/** How the next token is chosen. The same seed gives the same text with every decoding method. */
export interface SamplingOptions {
  /** 0 (default) is greedy: always the likeliest token. 1 is the model's own distribution. */
  temperature?: number | undefined;
  /** Keeps the topK likeliest tokens; 0 (default) keeps all. */
  topK?: number | undefined;
  /** Keeps the fewest tokens whose probabilities reach topP; default 1 keeps all. */
  topP?: number | undefined;
  /** Keeps tokens of at least minP times the highest probability; default 0 keeps all. */
  minP?: number | undefined;
  /** Above 1 makes tokens that occurred less likely; default 1. Counts at temperature 0, too. */
  repetitionPenalty?: number | undefined;
  /** An integer from 0 to 2^53 - 1; default 0. */
  seed?: number | undefined;
}

export const samplingSchema = options({
  temperature: number(0).default(0),
  topK: integer(0, 0x7fffffff).default(0),
  topP: numberAbove(0, 1).default(1),
  minP: number(0, 1).default(0),
  repetitionPenalty: numberAbove(0).default(1),
  seed: seed().default(0),
});

type NativeSampling = Pick<
  NativeGenerationRequest,
  'temperature' | 'topK' | 'topP' | 'minP' | 'repetitionPenalty' | 'seed'
>;

/** The options are named as the native side names them. */
export const nativeSampling = (wanted: z.output<typeof samplingSchema>): NativeSampling => wanted;
