/** A native trainer as the tests' addon shows it. */
import type {
  NativeMicroBatch,
  NativeModelShape,
  NativeTensorEntry,
  TrainingTensors,
} from '../../ts/native/contract';
import { loadTesting } from './testing';

export interface TestNoise {
  kind?: 'ahead' | 'uniform';
  length?: number;
  segments?: number;
  seed?: number;
}

export interface TrainerOptions {
  shape: NativeModelShape;
  /** Without them, random weights of `seed`. */
  tensors?: NativeTensorEntry[];
  seed?: number;
  initializerRange?: number;
  optimizer?: {
    beta1?: number;
    beta2?: number;
    epsilon?: number;
    weightDecay?: number;
    clipNorm?: number;
    moments?: 'f32' | '8bit';
  };
  gradientCheckpointing?: boolean;
  noise?: TestNoise;
  instructions?: string;
  threads?: number;
  /** 'bf16': rounded as a device that computes in bf16 rounds them, on the CPU. Default 'f32'. */
  activations?: 'f32' | 'bf16';
}

export interface TestTrainer {
  step(
    batches: NativeMicroBatch[],
    epoch: number,
    learningRate: number,
    cancelled?: boolean,
  ): { loss: number; gradientNorm: number; lossTokens: number; inputTokens: number };
  evaluate(
    batch: NativeMicroBatch,
    noise?: TestNoise,
  ): { loss: number; lossTokens: number; correct: number[]; counted: number[] };
  stepsDone(set?: number): number;
  /** Of weights, gradients and moments; of the largest micro-batch's activations. */
  bytes(): { state: number; workspace: number };
  gradient(name: string): Float32Array;
  state(which: TrainingTensors, name: string): Float32Array;
  restore(which: TrainingTensors, tensors: Record<string, Float32Array>): void;
}

export function createTrainer(options: TrainerOptions): TestTrainer {
  return loadTesting().createTrainer!({ ...options }) as TestTrainer;
}

/** Rows become the documents of one micro-batch; samples are numbered from 0. */
export function packRows(tokens: number[][], labels: number[][]): NativeMicroBatch {
  const offsets = [0];
  for (const row of tokens) offsets.push(offsets[offsets.length - 1]! + row.length);
  return {
    tokens: Int32Array.from(tokens.flat()),
    labels: Int32Array.from(labels.flat()),
    documentOffsets: Int32Array.from(offsets),
    samples: Int32Array.from(tokens, (_, index) => index),
  };
}
