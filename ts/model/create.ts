/** A model from scratch: a config in transformers' words and a seed. */
import { resolve } from 'node:path';
import { MakeSomeNoiseError } from '../errors';
import { cancellable } from '../native/cancel';
import { loadNative } from '../native/load';
import { abortSignal, numberAbove, options, path, seed, validate } from '../validate';
import { parseConfig } from './config';
import { completeConfig, configSchema, type ModelConfigInput } from './config-input';
import { chooseEosTokens } from './description';
import {
  deviceFields,
  dtypeField,
  nativeDevice,
  nativeDtype,
  type DeviceOptions,
  type ModelDtype,
} from './device-options';
import { makeModel, type Model } from './model';
import { loadTokenizer, type Tokenizer } from './tokenizer';

/** How to create a model. */
export interface CreateOptions extends DeviceOptions {
  /** The weights are a function of the config and this. Integer from 0 to 2^53 - 1, default 0. */
  seed?: number | undefined;
  /** Standard deviation of the weights; default: the config's initializer_range. Norms begin at 1, biases at 0. */
  initializerRange?: number | undefined;
  /** A folder with a tokenizer.json, whose files `save` copies. Default: none, the model works in token ids. */
  tokenizer?: string | undefined;
  /** What the weights are computed in; 'auto' (default) is f32 on the CPU and bf16 on CUDA. */
  dtype?: ModelDtype | undefined;
  /** Aborts with ERR_ABORTED. */
  signal?: AbortSignal | undefined;
}

const createOptions = options({
  ...deviceFields,
  dtype: dtypeField(),
  seed: seed().default(0),
  initializerRange: numberAbove(0, 1000).optional(),
  tokenizer: path().optional(),
  signal: abortSignal().optional(),
});

/**
 * Creates a model with random weights, to be trained or measured.
 *
 * @throws MakeSomeNoiseError ERR_INVALID_ARGUMENT for a config that makes no sense (`config.hidden_size: ...`),
 *   ERR_UNSUPPORTED for one that is not computed here, ERR_MODEL_FORMAT for a broken tokenizer, ERR_DEVICE,
 *   ERR_OUT_OF_MEMORY, ERR_ABORTED
 * @example
 * const model = await createModel(
 *   { vocab_size: 128, hidden_size: 128, num_hidden_layers: 4, num_attention_heads: 4, tie_word_embeddings: true },
 *   { seed: 1 },
 * );
 */
export async function createModel(config: ModelConfigInput, given: CreateOptions = {}): Promise<Model> {
  const wanted = validate(createOptions, given);
  const dtype = nativeDtype(wanted.dtype, 'f32');
  const module = loadNative();
  return cancellable(module, wanted.signal, async (token) => {
    const tokenizer = await readTokenizerFolder(wanted.tokenizer);
    const json = completeConfig(validate(configSchema, config, 'config'), tokenizer);
    const parsed = parseConfig(json, 'config.', 'ERR_INVALID_ARGUMENT');
    const range = wanted.initializerRange ?? parsed.initializerRange;
    const native = await module.createModel(
      parsed.shape,
      wanted.seed,
      range,
      dtype,
      nativeDevice(wanted),
      token,
    );
    const eosTokens = chooseEosTokens([], parsed.eosTokens, tokenizer?.eosToken);
    const description = {
      config: parsed,
      generationConfig: generationConfig(json, eosTokens),
      tokenizer,
      tokenizerFolder: tokenizer && resolve(wanted.tokenizer!),
      eosTokens,
    };
    return makeModel({ module, native, description });
  });
}

async function readTokenizerFolder(folder: string | undefined): Promise<Tokenizer | undefined> {
  if (folder === undefined) return undefined;
  const tokenizer = await loadTokenizer(folder);
  if (tokenizer !== undefined) return tokenizer;
  throw new MakeSomeNoiseError('ERR_INVALID_ARGUMENT', `tokenizer: ${resolve(folder)} has no tokenizer.json`);
}

function generationConfig(json: Record<string, unknown>, eosTokens: Int32Array): Record<string, unknown> {
  const eos = eosTokens.length === 1 ? eosTokens[0] : eosTokens.length > 1 ? [...eosTokens] : undefined;
  return {
    ...(typeof json.bos_token_id === 'number' ? { bos_token_id: json.bos_token_id } : {}),
    ...(eos === undefined ? {} : { eos_token_id: eos }),
  };
}
