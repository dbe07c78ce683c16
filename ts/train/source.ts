/** Where the weights of a run come from, and what a folder of the trained model needs beside them. */
import type { TrainingTokenizer } from '../data/tokenize';
import type { NativeModel, NativeModelShape, NativeTensorEntry } from '../native/contract';

export interface TrainingSource {
  shape: NativeModelShape;
  /** Tensor table of the model's files; empty when `native` holds the weights. */
  tensors: NativeTensorEntry[];
  native: NativeModel | undefined;
  /** What the trained weights are stored as: the dtype of the source, F32 where a file cannot keep it (F16). */
  storedDtype: 'F32' | 'BF16';
  tokenizer: TrainingTokenizer | undefined;
  /** Ids that end a text; may be empty. */
  eosTokens: Int32Array;
  /** Writes config.json, generation_config.json and the tokenizer's files into a folder. */
  writeFiles(folder: string): Promise<void>;
}
