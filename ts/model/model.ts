/** A model in memory. */
import { MakeSomeNoiseError } from '../errors';
import type { NativeModel, NativeModule } from '../native/contract';
import { expected } from '../validate';
import type { DeviceInfo } from '../devices';
import type { ModelDescription } from './description';
import { saveModel, type SaveOptions } from './save';
import type { Tokenizer } from './tokenizer';

/** What a model is and where it computes. */
export interface ModelInfo {
  /** 'LlamaForCausalLM' and so on. */
  readonly architecture: string;
  /** Number of weights. */
  readonly parameters: number;
  readonly layers: number;
  readonly hiddenSize: number;
  readonly vocabularySize: number;
  /** Longest text in tokens, prompt included. */
  readonly contextLength: number;
  /** What computes: 'cpu', 'cuda:0'. */
  readonly device: string;
  /** More about it, and why it was chosen: its name, instruction set or compute capability, libraries, memory. */
  readonly engine: DeviceInfo;
  /** What the weights are computed in; sums are f32 always. */
  readonly dtype: 'f32' | 'bf16' | 'int8';
  /** Bytes of the weights in memory. The key/value cache comes on top and grows with the text. */
  readonly bytes: number;
}

/** What the other parts of the facade use of a model. */
export interface ModelInternals {
  readonly module: NativeModule;
  readonly native: NativeModel;
  readonly description: ModelDescription;
}

let construct: (internals: ModelInternals) => Model;
let readInternals: (model: Model) => ModelInternals;

/**
 * A model in memory, made by {@link loadModel} or {@link createModel}. Its weights are freed by {@link dispose}, by
 * `using` and `await using`, and at last by the garbage collector. Calls on one model run one after another.
 *
 * @example
 * await using model = await loadModel('SmolLM2-135M-Instruct');
 * console.log(model.info.parameters);
 */
export class Model implements AsyncDisposable, Disposable {
  /** What it is and where it computes; frozen. */
  readonly info: ModelInfo;
  readonly #internals: ModelInternals;

  static {
    construct = (internals) => new Model(internals);
    readInternals = (model) => model.#internals;
  }

  private constructor(internals: ModelInternals) {
    this.#internals = internals;
    this.info = describeModel(internals);
  }

  /** Whether the model's folder has a tokenizer. */
  get hasTokenizer(): boolean {
    return this.#internals.description.tokenizer !== undefined;
  }

  /**
   * The tokenizer of the model's folder.
   *
   * @throws MakeSomeNoiseError ERR_UNSUPPORTED where the folder has none: such a model works in token ids
   */
  get tokenizer(): Tokenizer {
    const { tokenizer } = this.#internals.description;
    if (tokenizer !== undefined) return tokenizer;
    throw new MakeSomeNoiseError(
      'ERR_UNSUPPORTED',
      'the model has no tokenizer (its folder has no tokenizer.json); use token ids instead of text',
    );
  }

  /**
   * Writes a folder that {@link loadModel} and transformers load: config.json, generation_config.json, the weights in
   * the dtype that they are computed in, F32 for int8 (model.safetensors, several files above 5 GB) and the tokenizer's files.
   *
   * The folder appears whole or not at all. One that exists must be empty; with `overwrite` a folder that holds a
   * model and nothing else is replaced. Other folders are never touched.
   *
   * @throws MakeSomeNoiseError ERR_INVALID_ARGUMENT for a folder that may not be replaced, ERR_CHECKPOINT when it
   *   cannot be written (the reason is in the message), ERR_ABORTED, ERR_DISPOSED
   * @example
   * await model.save('my-model');
   */
  async save(folder: string, options: SaveOptions = {}): Promise<void> {
    await saveModel(this.#internals, folder, options);
  }

  /** Frees the weights when the calls under way are done. Later calls throw ERR_DISPOSED. */
  dispose(): void {
    this.#internals.native.dispose();
  }

  /** The same as {@link dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** The same as {@link dispose}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    this.dispose();
    return Promise.resolve();
  }
}

/** A model around a native one. */
export function makeModel(internals: ModelInternals): Model {
  return construct(internals);
}

/** What the other parts of the facade use of a model. */
export function internalsOf(model: Model): ModelInternals {
  return readInternals(model);
}

/** A schema for models, as an argument or an option. */
export const modelSchema = () =>
  expected<Model>('a Model (from loadModel or createModel)', (value) => value instanceof Model);

function describeModel({ native, description }: ModelInternals): ModelInfo {
  const { architecture, shape } = description.config;
  return Object.freeze({
    architecture,
    parameters: native.parameters,
    layers: shape.layers,
    hiddenSize: shape.hiddenSize,
    vocabularySize: shape.vocabularySize,
    contextLength: shape.contextLength,
    device: native.device.kind,
    engine: Object.freeze({ ...native.device }),
    dtype: native.dtype,
    bytes: native.weightBytes,
  });
}
