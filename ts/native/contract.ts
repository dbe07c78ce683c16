/** The one place where the untyped native module becomes typed. Nothing outside ts/ sees these types. */

declare const cancelBrand: unique symbol;
/** Raised from JavaScript, polled by native jobs. */
export interface CancelToken {
  readonly [cancelBrand]: true;
}

/** What weights are computed in. */
export type NativeDtype = 'f32' | 'bf16' | 'int8';
/** A dtype and nothing else, or what is natural to the device for weights that are stored as f32 or bf16. */
export type NativeDtypeRequest = NativeDtype | 'stored-f32' | 'stored-bf16';
export type SafetensorsDtype = 'F64' | 'F32' | 'BF16' | 'F16' | 'I32' | 'U8';

export interface NativeModelShape {
  vocabularySize: number;
  hiddenSize: number;
  intermediateSize: number;
  layers: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  contextLength: number;
  /** Sliding window in positions, 0: none. */
  window: number;
  normEpsilon: number;
  tiedHead: boolean;
  attentionBias: boolean;
  queryKeyNorm: boolean;
  ropeKind: 'default' | 'linear' | 'llama3';
  ropeTheta: number;
  ropeFactor: number;
  ropeLowFreqFactor: number;
  ropeHighFreqFactor: number;
  ropeOriginalLength: number;
}

/** One row of the tensor table: where the bytes of a tensor lie. */
export interface NativeTensorEntry {
  name: string;
  dtype: SafetensorsDtype;
  shape: number[];
  file: string;
  begin: number;
  end: number;
}

export interface NativeTensorSpec {
  name: string;
  shape: number[];
}

export interface NativeDeviceOptions {
  /** 'auto' | 'cpu' | 'cuda' | 'cuda:N' */
  device: string;
  /** 0: one per physical core. */
  threads: number;
  /** Highest instruction set to use, '' for the best there is; for tests. */
  instructions: '' | 'generic' | 'avx2' | 'avx512';
}

export interface NativeDeviceInfo {
  kind: string;
  name: string;
  instructions: string;
  /** CUDA: '9.0'. */
  computeCapability: string;
  /** CUDA: kernels run on the host shim, for tests. */
  shim: boolean;
  /** CUDA: the library for large products, or why there is none. */
  library: string;
  threads: number;
  memoryBytes: number;
  freeBytes: number;
  /** What 'auto' chose and why. */
  reason: string;
}

export interface NativeCudaReport {
  /** Why no device can be had; '' when one can. */
  reason: string;
  /** The file that was loaded or looked for. */
  module: string;
  /** Of its machine code: '80 86 89 90a 100 120'; '' without a module. */
  architectures: string;
  shim: boolean;
  moduleVersion: number;
  /** CUDA version that the module was built with. */
  runtime: string;
  /** CUDA version that the driver supports; '' without one. */
  driver: string;
  /** cuBLASLt: version and file, or why there is none. */
  library: string;
}

export interface NativeGenerationRequest {
  prompt: Int32Array;
  maxNewTokens: number;
  endOfSequence: Int32Array;
  temperature: number;
  topK: number;
  topP: number;
  minP: number;
  repetitionPenalty: number;
  /** Seeds are integers from 0 to 2^53 - 1. */
  seed: number;
  /** Draft paths flattened: path i is columns[offsets[i] .. offsets[i + 1]). Empty: autoregressive. */
  pathOffsets: Int32Array;
  pathColumns: Int32Array;
  depth: number;
  width: number;
  retrieval: boolean;
  minMatch: number;
  noiseSeed: number;
}

/** Draft paths flattened, as in {@link NativeGenerationRequest}. */
export interface NativeDraftPaths {
  pathOffsets: Int32Array;
  pathColumns: Int32Array;
}

/** 0: the model's own row, 1: noise, 2: retrieval. */
export type NativeDraftSource = 0 | 1 | 2;

export interface NativeDecodingStep {
  tokens: Int32Array;
  acceptedLength: number;
  /** '' while it goes on. */
  finish: '' | 'stop' | 'length';
  acceptedSources: Uint8Array;
  acceptedPath: Int32Array;
  matchLength: number;
  matchEnd: number;
  knownRows: number;
  drafted: Int32Array;
  /** Milliseconds of the step, measured natively. */
  milliseconds: number;
}

export interface NativeDenoisingRequest {
  prefix: Int32Array;
  /** Empty: noiseLength random prefix tokens. */
  noisy: Int32Array;
  noiseLength: number;
  noiseSeed: number;
  /** 0: until the fixed point. */
  maxIterations: number;
}

export interface NativeDenoisingResult {
  tokens: Int32Array;
  /** Rows of tokens.length: the first noise, then the segment after each pass. */
  trajectory: Int32Array;
  iterations: number;
  fixedPoint: boolean;
  matched: number;
  probabilities: Float32Array;
}

export interface NativeModel {
  readonly device: NativeDeviceInfo;
  readonly dtype: NativeDtype;
  readonly weightBytes: number;
  readonly parameters: number;
  /**
   * Decodes; onPrefill is called once when the prompt is in the cache, onStep once a step, in order, on the JS
   * thread, both before the promise settles. Rejects with ERR_ABORTED when the token is raised.
   */
  generate(
    request: NativeGenerationRequest,
    onPrefill: (milliseconds: number) => void,
    onStep: (step: NativeDecodingStep) => void,
    cancel: CancelToken,
  ): Promise<void>;
  denoise(request: NativeDenoisingRequest, cancel: CancelToken): Promise<NativeDenoisingResult>;
  /** log p of every token after the first, [n - 1]. */
  score(tokens: Int32Array, cancel: CancelToken): Promise<Float32Array>;
  /**
   * Logits of every node of one pass behind a cached prefix, [nodes * vocabulary]; parents[i] = -1 follows the
   * prefix. The prefix goes through in chunks of at most `chunk` tokens. For tests and `msn bench`.
   */
  logits(
    prefix: Int32Array,
    tokens: Int32Array,
    parents: Int32Array,
    chunk: number,
    cancel: CancelToken,
  ): Promise<Float32Array>;
  /** Times `repeats` passes of `nodes` chained nodes behind `prefix` cached positions, in milliseconds each. */
  timePasses(
    nodes: number,
    prefix: number,
    repeats: number,
    withLogits: boolean,
    cancel: CancelToken,
  ): Promise<Float64Array>;
  /** All tensors in file order. */
  tensorSpecs(): NativeTensorSpec[];
  /** Writes the named tensors behind `header` (safetensors, length prefix included) in the given dtype. */
  writeTensors(
    path: string,
    header: Uint8Array,
    names: string[],
    dtype: 'F32' | 'BF16',
    cancel: CancelToken,
  ): Promise<void>;
  /** Frees the weights when the running jobs are done; later calls throw ERR_DISPOSED. */
  dispose(): void;
  [Symbol.dispose](): void;
}

export interface NativeMicroBatch {
  tokens: Int32Array;
  /** The token itself where it counts, else -100. */
  labels: Int32Array;
  documentOffsets: Int32Array;
  samples: Int32Array;
}

export interface NativeNoiseOptions {
  enabled: boolean;
  kind: 'ahead' | 'uniform';
  length: number;
  segments: number;
  seed: number;
}

export interface NativeOptimizerOptions {
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
  /** 0: no clipping. */
  clipNorm: number;
  /** What AdamW's moments are kept in; '8bit': codes with a scale for every 256 of them. */
  moments: 'f32' | '8bit';
}

export interface NativeTrainerOptions {
  optimizer: NativeOptimizerOptions;
  noise: NativeNoiseOptions;
  /** Keeps the layers' inputs alone and computes the rest again in the backward pass; the same bits. */
  gradientCheckpointing: boolean;
  /** What has to be computed in; 'auto': what the device trains in. */
  dtype: 'auto' | 'f32' | 'bf16';
}

export interface NativeTrainingStep {
  loss: number;
  gradientNorm: number;
  lossTokens: number;
  inputTokens: number;
  milliseconds: number;
}

export interface NativeEvaluation {
  lossSum: number;
  lossTokens: number;
  /** By noise offset 1 .. length; empty when noise is not enabled. */
  correct: Float64Array;
  counted: Float64Array;
}

export type TrainingTensors = 'weights' | 'firstMoments' | 'secondMoments';

export interface NativeTrainer {
  readonly device: NativeDeviceInfo;
  /** What is computed in; the weights that are updated are f32 always. */
  readonly dtype: 'f32' | 'bf16';
  readonly parameters: number;
  step(
    batches: NativeMicroBatch[],
    epoch: number,
    learningRate: number,
    cancel: CancelToken,
  ): Promise<NativeTrainingStep>;
  evaluate(
    batch: NativeMicroBatch,
    noise: NativeNoiseOptions,
    cancel: CancelToken,
  ): Promise<NativeEvaluation>;
  /** An inference model of the weights as they are now. */
  snapshot(dtype: NativeDtypeRequest, cancel: CancelToken): Promise<NativeModel>;
  tensorSpecs(): NativeTensorSpec[];
  writeTensors(
    which: TrainingTensors,
    path: string,
    header: Uint8Array,
    names: string[],
    dtype: 'F32' | 'BF16',
    cancel: CancelToken,
  ): Promise<void>;
  /** Reads moments (or weights) back from a checkpoint, whatever device wrote it. */
  restore(which: TrainingTensors, tensors: NativeTensorEntry[], cancel: CancelToken): Promise<void>;
  stepsDone: number;
  /** Gradient of the last step's loss, unclipped, by tensor name; for tests. */
  gradient(name: string): Float32Array;
  weight(name: string): Float32Array;
  dispose(): void;
  [Symbol.dispose](): void;
}

export interface NativeModule {
  setErrorClass(errorClass: new (code: never, message: string) => Error): void;
  createCancelToken(): CancelToken;
  cancel(token: CancelToken): void;
  /** Every device this machine could run on, with the reason where one cannot be had. */
  devices(): Array<NativeDeviceInfo & { available: boolean }>;
  /** What `msn doctor` says of CUDA. */
  cuda(): NativeCudaReport;
  loadModel(
    shape: NativeModelShape,
    tensors: NativeTensorEntry[],
    dtype: NativeDtypeRequest,
    device: NativeDeviceOptions,
    onProgress: ((doneBytes: number, totalBytes: number) => void) | undefined,
    cancel: CancelToken,
  ): Promise<NativeModel>;
  createModel(
    shape: NativeModelShape,
    seed: number,
    initializerRange: number,
    dtype: NativeDtypeRequest,
    device: NativeDeviceOptions,
    cancel: CancelToken,
  ): Promise<NativeModel>;
  /** From files, or (tensors empty) from the weights of `model`. */
  createTrainer(
    shape: NativeModelShape,
    tensors: NativeTensorEntry[],
    model: NativeModel | undefined,
    options: NativeTrainerOptions,
    device: NativeDeviceOptions,
    cancel: CancelToken,
  ): Promise<NativeTrainer>;
  /**
   * The named draft trees of docs/method.md: 'paper', its first `nodes` positions (root included), and the chain of
   * plain Jacobi decoding (width 1, no retrieval). `nodes` matters to 'nodes' alone, `width` not to 'chain'.
   */
  draftPaths(
    kind: 'paper' | 'nodes' | 'chain',
    nodes: number,
    depth: number,
    width: number,
  ): NativeDraftPaths;
  /** The noise operation on the host, for previews of training data. */
  noise(
    batch: NativeMicroBatch,
    noise: NativeNoiseOptions,
    epoch: number,
    vocabularySize: number,
  ): Int32Array;
}
