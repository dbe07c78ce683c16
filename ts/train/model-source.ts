/** The weights and files of a run's model, from its folder or from a model in memory. */
import type { NativeDtype } from '../native/contract';
import { readDescription, writeDescription, type ModelDescription } from '../model/description';
import { openModelFolder } from '../model/folder';
import { storedDtype } from '../model/load';
import { internalsOf, type Model } from '../model/model';
import { readWeights } from '../model/weights';
import type { TrainingSource } from './source';
import { trainingTokenizer } from './training-tokenizer';

/** @throws MakeSomeNoiseError ERR_MODEL_FORMAT, ERR_UNSUPPORTED as `loadModel` */
export async function trainingSource(model: string | Model): Promise<TrainingSource> {
  if (typeof model !== 'string') {
    const { native, description } = internalsOf(model);
    return describedSource(description, native.dtype, { tensors: [], native });
  }
  const folder = await openModelFolder(model);
  const [description, tensors] = await Promise.all([readDescription(folder), readWeights(folder.weights)]);
  return describedSource(description, storedDtype(tensors), { tensors, native: undefined });
}

function describedSource(
  description: ModelDescription,
  dtype: NativeDtype,
  weights: Pick<TrainingSource, 'tensors' | 'native'>,
): TrainingSource {
  const { config, tokenizer, eosTokens } = description;
  const stored = dtype === 'bf16' ? 'BF16' : 'F32';
  return {
    ...weights,
    shape: config.shape,
    storedDtype: stored,
    tokenizer: tokenizer && trainingTokenizer(tokenizer, eosTokens),
    eosTokens,
    writeFiles: (folder) => writeDescription(description, folder, stored),
  };
}
