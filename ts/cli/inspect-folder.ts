/** Reads what a model folder says about itself; what cannot be read becomes a problem, not an error. */
import { resolve } from 'node:path';
import { MakeSomeNoiseError } from '../errors';
import { readConfig, type ModelConfig } from '../model/config';
import { openModelFolder } from '../model/folder';
import { loadTokenizer } from '../model/tokenizer';
import { readWeights, type WeightEntry } from '../model/weights';
import type { NativeModelShape } from '../native/contract';

export interface Inspection {
  /** Absolute. */
  folder: string;
  config?: { architecture: string; shape: NativeModelShape; eosTokens: number[] };
  weights?: {
    parameters: number;
    bytes: number;
    files: number;
    dtypes: Array<{ dtype: string; tensors: number }>;
    tensors: Array<{ name: string; dtype: string; shape: number[] }>;
  };
  tokenizer?: { vocabularySize: number; specialTokens: number; chatTemplate: boolean };
  /** Each says what and where; empty when the folder can be loaded. */
  problems: string[];
}

/** @throws MakeSomeNoiseError ERR_MODEL_FORMAT when there is no such folder, config.json or weights file */
export async function inspectFolder(folder: string): Promise<Inspection> {
  const files = await openModelFolder(folder);
  const problems: string[] = [];
  const attempt = async <Value>(work: () => Promise<Value>): Promise<Value | undefined> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof MakeSomeNoiseError)) throw error;
      problems.push(error.message);
      return undefined;
    }
  };
  const config = await attempt(() => readConfig(files.config));
  const tensors = await attempt(() => readWeights(files.weights));
  const tokenizer = await attempt(() => loadTokenizer(files.path));
  if (config !== undefined && tensors !== undefined) problems.push(...compareTensors(config, tensors));
  if (config !== undefined && tokenizer !== undefined) {
    const { vocabularySize } = config.shape;
    if (tokenizer.vocabularySize > vocabularySize) {
      problems.push(
        `tokenizer.json: has ${tokenizer.vocabularySize} tokens, the model only ${vocabularySize}; the last ones cannot be used`,
      );
    }
  }
  return {
    folder: resolve(folder),
    ...(config && {
      config: { architecture: config.architecture, shape: config.shape, eosTokens: config.eosTokens },
    }),
    ...(tensors && { weights: summarize(tensors) }),
    ...(tokenizer && {
      tokenizer: {
        vocabularySize: tokenizer.vocabularySize,
        specialTokens: tokenizer.specialTokens.length,
        chatTemplate: tokenizer.hasChatTemplate,
      },
    }),
    problems,
  };
}

function summarize(tensors: readonly WeightEntry[]): NonNullable<Inspection['weights']> {
  const dtypes = new Map<string, number>();
  for (const { dtype } of tensors) dtypes.set(dtype, (dtypes.get(dtype) ?? 0) + 1);
  return {
    parameters: tensors.reduce(
      (sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1),
      0,
    ),
    bytes: tensors.reduce((sum, { begin, end }) => sum + end - begin, 0),
    files: new Set(tensors.map(({ file }) => file)).size,
    dtypes: [...dtypes].map(([dtype, count]) => ({ dtype, tensors: count })),
    tensors: tensors.map(({ name, dtype, shape }) => ({ name, dtype, shape })),
  };
}

/** What the config asks for and the weights lack, have in another shape, or have beyond. */
function compareTensors(config: ModelConfig, tensors: readonly WeightEntry[]): string[] {
  const stored = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const problems: string[] = [];
  const expected = expectedTensors(config.shape);
  for (const [name, shape] of expected) {
    const tensor = stored.get(name);
    if (tensor === undefined) {
      problems.push(`weights: tensor "${name}" is missing; config.json asks for it`);
    } else if (tensor.shape.join() !== shape.join()) {
      problems.push(
        `${tensor.file}: tensor "${name}" is [${tensor.shape.join(', ')}], config.json asks for [${shape.join(', ')}]`,
      );
    }
  }
  for (const { name, file } of tensors) {
    // A tied model may carry a copy of its embedding.
    const isTiedHead = name === 'lm_head.weight' && config.shape.tiedHead;
    if (!expected.has(name) && !isTiedHead)
      problems.push(`${file}: tensor "${name}" is of no use to this model`);
  }
  return problems;
}

function expectedTensors(shape: NativeModelShape): Map<string, number[]> {
  const { hiddenSize, intermediateSize, headDim, vocabularySize } = shape;
  const query = shape.heads * headDim;
  const keyValue = shape.kvHeads * headDim;
  const expected = new Map<string, number[]>([
    ['model.embed_tokens.weight', [vocabularySize, hiddenSize]],
    ['model.norm.weight', [hiddenSize]],
  ]);
  if (!shape.tiedHead) expected.set('lm_head.weight', [vocabularySize, hiddenSize]);
  for (let layer = 0; layer < shape.layers; layer++) {
    const add = (name: string, size: number[]) => expected.set(`model.layers.${layer}.${name}`, size);
    add('input_layernorm.weight', [hiddenSize]);
    add('self_attn.q_proj.weight', [query, hiddenSize]);
    add('self_attn.k_proj.weight', [keyValue, hiddenSize]);
    add('self_attn.v_proj.weight', [keyValue, hiddenSize]);
    add('self_attn.o_proj.weight', [hiddenSize, query]);
    if (shape.attentionBias) {
      add('self_attn.q_proj.bias', [query]);
      add('self_attn.k_proj.bias', [keyValue]);
      add('self_attn.v_proj.bias', [keyValue]);
    }
    if (shape.queryKeyNorm) {
      add('self_attn.q_norm.weight', [headDim]);
      add('self_attn.k_norm.weight', [headDim]);
    }
    add('post_attention_layernorm.weight', [hiddenSize]);
    add('mlp.gate_proj.weight', [intermediateSize, hiddenSize]);
    add('mlp.up_proj.weight', [intermediateSize, hiddenSize]);
    add('mlp.down_proj.weight', [hiddenSize, intermediateSize]);
  }
  return expected;
}
