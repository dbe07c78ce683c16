/** From a folder in the Hugging Face format to a model in memory. */
import { MakeSomeNoiseError } from '../errors';
import { cancellable } from '../native/cancel';
import { loadNative } from '../native/load';
import { abortSignal, callback, either, exactly, integer, options, path, validate } from '../validate';
import { readDescription, type ModelDescription } from './description';
import {
  deviceFields,
  dtypeField,
  nativeDevice,
  nativeDtype,
  type DeviceOptions,
  type ModelDtype,
} from './device-options';
import { openModelFolder } from './folder';
import { makeModel, type Model } from './model';
import { readWeights, type WeightEntry } from './weights';

/** How far the loading is. */
export interface LoadProgress {
  readonly doneBytes: number;
  readonly totalBytes: number;
}

/** How to load a model. */
export interface LoadOptions extends DeviceOptions {
  /**
   * What the weights are computed in: 'auto' (default), on the CPU as they are stored, where F16 is computed in f32,
   * on CUDA bf16; 'f32' (CPU); 'bf16', which is half as large and about twice as fast to decode; 'int8' (CUDA), half
   * as large again, with one scale for every output.
   */
  dtype?: ModelDtype | undefined;
  /**
   * Longest text in tokens, prompt included; 'auto' (default) is the model's own, which is also the largest allowed.
   * The key/value cache grows as it is used and is not allocated for the maximum.
   */
  contextLength?: 'auto' | number | undefined;
  /** Aborts the loading with ERR_ABORTED. */
  signal?: AbortSignal | undefined;
  /** Called as weights are read. */
  onProgress?: ((progress: LoadProgress) => void) | undefined;
}

const loadOptions = options({
  ...deviceFields,
  dtype: dtypeField(),
  contextLength: either("'auto' or an integer of at least 1", [exactly('auto'), integer(1)] as const).default(
    'auto',
  ),
  signal: abortSignal().optional(),
  onProgress: callback<(progress: LoadProgress) => void>().optional(),
});

/**
 * Loads a model from a folder in the Hugging Face format: config.json, model.safetensors or its sharded index,
 * and where they are there generation_config.json, tokenizer.json, tokenizer_config.json and the chat template.
 * Architectures: Llama, Mistral, Qwen2, Qwen3; weights stored as F32, F16 or BF16.
 *
 * @throws MakeSomeNoiseError ERR_MODEL_FORMAT for a folder that is incomplete or broken, ERR_UNSUPPORTED for a model
 *   that is not computed here, ERR_DEVICE, ERR_OUT_OF_MEMORY, ERR_ABORTED, ERR_INVALID_ARGUMENT
 * @example
 * await using model = await loadModel('SmolLM2-135M-Instruct', { dtype: 'bf16' });
 */
export async function loadModel(folder: string, given: LoadOptions = {}): Promise<Model> {
  validate(path(), folder, 'folder');
  const wanted = validate(loadOptions, given);
  const module = loadNative();
  return cancellable(module, wanted.signal, async (token) => {
    const files = await openModelFolder(folder);
    const [description, tensors] = await Promise.all([readDescription(files), readWeights(files.weights)]);
    limitContext(description, wanted.contextLength);
    const dtype = nativeDtype(wanted.dtype, storedDtype(tensors));
    const { onProgress } = wanted;
    const native = await module
      .loadModel(
        description.config.shape,
        tensors,
        dtype,
        nativeDevice(wanted),
        onProgress && ((doneBytes, totalBytes) => onProgress({ doneBytes, totalBytes })),
        token,
      )
      .catch((error: unknown) => {
        throw placed(error, files.path);
      });
    return makeModel({ module, native, description });
  });
}

function limitContext({ config }: ModelDescription, wanted: 'auto' | number): void {
  if (wanted === 'auto') return;
  const { contextLength } = config.shape;
  if (wanted > contextLength) {
    throw new MakeSomeNoiseError(
      'ERR_INVALID_ARGUMENT',
      `contextLength: expected at most the model's ${contextLength}, received ${wanted}`,
    );
  }
  config.shape.contextLength = wanted;
}

/** bf16 where most bytes are; norms are often stored wider than matrices. */
export function storedDtype(tensors: readonly WeightEntry[]): 'f32' | 'bf16' {
  let bf16 = 0;
  let other = 0;
  for (const { dtype, begin, end } of tensors) {
    if (dtype === 'BF16') bf16 += end - begin;
    else other += end - begin;
  }
  return bf16 > other ? 'bf16' : 'f32';
}

/** The native side knows tensors, not folders. */
function placed(error: unknown, folder: string): unknown {
  if (!(error instanceof MakeSomeNoiseError) || error.code !== 'ERR_MODEL_FORMAT') return error;
  if (error.message.includes(folder)) return error;
  return new MakeSomeNoiseError(error.code, `${folder}: ${error.message}`, { cause: error });
}
