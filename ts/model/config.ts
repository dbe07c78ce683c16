/** config.json, in transformers' old and new style, as the shape that the native side computes with. */
import { MakeSomeNoiseError, type ErrorCode } from '../errors';
import type { NativeModelShape } from '../native/contract';
import { ConfigFields } from './config-fields';
import { readJsonObject } from './folder';
import { readRope } from './rope';

/** What a model type means where its config.json is silent; transformers' defaults. */
interface ModelType {
  architecture: string;
  /** undefined: as many as query heads. */
  kvHeads?: number;
  /** undefined: hidden_size / num_attention_heads. */
  headDim?: number;
  contextLength: number;
}

const modelTypes: Readonly<Record<string, ModelType>> = {
  llama: { architecture: 'LlamaForCausalLM', contextLength: 2048 },
  mistral: { architecture: 'MistralForCausalLM', kvHeads: 8, contextLength: 131072 },
  qwen2: { architecture: 'Qwen2ForCausalLM', kvHeads: 32, contextLength: 32768 },
  qwen3: { architecture: 'Qwen3ForCausalLM', kvHeads: 32, headDim: 128, contextLength: 32768 },
};
const supportedArchitectures = Object.values(modelTypes)
  .map((type) => type.architecture)
  .join(', ');

/** The architecture that a model type is, undefined for one that is not computed here. */
export function architectureOf(modelType: string): string | undefined {
  return Object.hasOwn(modelTypes, modelType) ? modelTypes[modelType]!.architecture : undefined;
}

/** A config.json understood. */
export interface ModelConfig {
  /** 'LlamaForCausalLM' and so on. */
  architecture: string;
  shape: NativeModelShape;
  /** The object as it was read, kept for `save`. */
  json: Readonly<Record<string, unknown>>;
  /** What the config says the weights are stored as ('bfloat16'), if it says so. */
  storedDtype: string | undefined;
  /** Standard deviation of new weights. */
  initializerRange: number;
  /** Ids that end a text; generation_config.json may say otherwise. */
  eosTokens: number[];
}

/**
 * Reads a config.json.
 *
 * @throws MakeSomeNoiseError ERR_UNSUPPORTED for a model that is not computed, ERR_MODEL_FORMAT for nonsense
 */
export async function readConfig(path: string): Promise<ModelConfig> {
  return parseConfig(await readJsonObject(path), `${path}: `, 'ERR_MODEL_FORMAT');
}

/**
 * Understands the content of a config.json.
 *
 * @param where stands before a field's name in messages: "/models/x/config.json: " or "config."
 * @param malformed code of the errors about values that make no sense
 */
export function parseConfig(
  json: Readonly<Record<string, unknown>>,
  where: string,
  malformed: ErrorCode,
): ModelConfig {
  const config = new ConfigFields(json, where, malformed);
  const modelType = readModelType(config, where);
  const type = modelTypes[modelType]!;
  refuseUnsupported(config, modelType);

  const hiddenSize = config.integer('hidden_size');
  const heads = config.integer('num_attention_heads', undefined, 1, 65536);
  const layers = config.integer('num_hidden_layers', undefined, 1, 65536);
  const shape: NativeModelShape = {
    vocabularySize: config.integer('vocab_size'),
    hiddenSize,
    intermediateSize: config.integer('intermediate_size'),
    layers,
    heads,
    kvHeads: readKvHeads(config, heads, type),
    headDim: readHeadDim(config, hiddenSize, heads, modelType),
    contextLength: config.integer('max_position_embeddings', type.contextLength),
    window: readWindow(config, modelType, layers),
    normEpsilon: config.positive('rms_norm_eps', 1e-6),
    tiedHead: config.boolean('tie_word_embeddings', false),
    attentionBias: modelType === 'qwen2',
    queryKeyNorm: modelType === 'qwen3',
    ...readRope(config),
  };
  return {
    architecture: type.architecture,
    shape,
    json,
    storedDtype: config.string('dtype') ?? config.string('torch_dtype'),
    initializerRange: config.positive('initializer_range', 0.02),
    eosTokens: config.tokenIds('eos_token_id'),
  };
}

function readModelType(config: ConfigFields, where: string): string {
  const architecture = config.strings('architectures')?.[0];
  const named = config.string('model_type');
  const modelType =
    named ?? Object.keys(modelTypes).find((name) => modelTypes[name]!.architecture === architecture);
  if (modelType === undefined && architecture === undefined) {
    throw config.malformedField('model_type', Object.keys(modelTypes).join(', '));
  }
  const type =
    modelType !== undefined && Object.hasOwn(modelTypes, modelType) ? modelTypes[modelType] : undefined;
  if (type === undefined || (architecture !== undefined && architecture !== type.architecture)) {
    throw new MakeSomeNoiseError(
      'ERR_UNSUPPORTED',
      `${where}architecture ${architecture ?? modelType} is not supported; supported are ${supportedArchitectures}`,
    );
  }
  return modelType!;
}

/** Features of these architectures that are not computed are refused, never ignored. */
function refuseUnsupported(config: ConfigFields, modelType: string): void {
  const activation = config.string('hidden_act') ?? 'silu';
  if (activation !== 'silu' && activation !== 'swish') {
    throw config.unsupportedField('hidden_act', activation, "supported is 'silu'");
  }
  if (modelType === 'llama' || modelType === 'qwen3') {
    if (config.boolean('attention_bias', false)) {
      throw config.unsupportedField('attention_bias', true, 'biases are supported where Qwen2 has them');
    }
  }
  if (modelType === 'llama' && config.boolean('mlp_bias', false)) {
    throw config.unsupportedField('mlp_bias', true, 'the feed-forward part has no biases');
  }
  const quantization = config.object('quantization_config');
  if (quantization !== undefined) {
    const method = quantization.string('quant_method') ?? 'unknown';
    throw config.unsupportedField('quantization_config', method, 'supported are F32, F16 and BF16 weights');
  }
}

function readKvHeads(config: ConfigFields, heads: number, type: ModelType): number {
  // An explicit null means "as many as query heads" in every architecture.
  const absent = config.has('num_key_value_heads') ? heads : (type.kvHeads ?? heads);
  const kvHeads = config.integer('num_key_value_heads', absent, 1, 65536);
  if (heads % kvHeads === 0) return kvHeads;
  throw config.malformedField('num_key_value_heads', `a divisor of num_attention_heads = ${heads}`);
}

function readHeadDim(config: ConfigFields, hiddenSize: number, heads: number, modelType: string): number {
  // Qwen2 has no such field; transformers reads it all the same where a file has it.
  const absent = config.has('head_dim') ? undefined : modelTypes[modelType]!.headDim;
  if (config.get('head_dim') === undefined && absent === undefined && hiddenSize % heads !== 0) {
    throw config.malformedField('hidden_size', `a multiple of num_attention_heads = ${heads}`);
  }
  const headDim = config.integer('head_dim', absent ?? hiddenSize / heads, 2, 65536);
  if (headDim % 2 === 0) return headDim;
  throw config.malformedField('head_dim', `an even number (it is ${headDim})`);
}

/** The sliding window in positions, 0 for none. Layers that differ from each other are refused. */
function readWindow(config: ConfigFields, modelType: string, layers: number): number {
  const layerTypes = readLayerTypes(config, layers);
  if (modelType === 'llama') {
    if (layerTypes === 'sliding_attention') {
      throw config.unsupportedField('layer_types', layerTypes, 'Llama attends to everything');
    }
    return 0;
  }
  if (modelType === 'mistral') {
    if (config.has('sliding_window') && config.get('sliding_window') === undefined) return 0;
    return config.integer('sliding_window', 4096);
  }
  // Qwen has the window only where use_sliding_window says so, and from layer max_window_layers on.
  if (!config.boolean('use_sliding_window', false) || config.get('sliding_window') === undefined) return 0;
  const fullLayers = config.integer('max_window_layers', 28, 0);
  const fromCount =
    fullLayers === 0 ? 'sliding_attention' : fullLayers >= layers ? 'full_attention' : 'mixed';
  const kind = layerTypes ?? fromCount;
  if (kind === 'mixed') {
    throw config.unsupportedField('max_window_layers', fullLayers, 'all layers have the window or none has');
  }
  return kind === 'sliding_attention' ? config.integer('sliding_window') : 0;
}

/** The one type that all layers have, undefined when the config does not list them. */
function readLayerTypes(config: ConfigFields, layers: number): string | undefined {
  const types = config.strings('layer_types');
  if (types === undefined) return undefined;
  if (types.length !== layers) {
    throw config.malformedField('layer_types', `${layers} names, one for each layer`);
  }
  for (const type of types) {
    if (type !== 'full_attention' && type !== 'sliding_attention') {
      throw config.unsupportedField(
        'layer_types',
        type,
        'supported are full_attention and sliding_attention',
      );
    }
    if (type !== types[0]) {
      throw config.unsupportedField('layer_types', 'a mixture', 'all layers have the window or none has');
    }
  }
  return types[0];
}
