/**
 * A native module that trains nothing but behaves like one: deterministic steps that depend on batch, epoch, rate,
 * weights and moments, real files, and places to fail or wait at.
 */
import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { MakeSomeNoiseError } from '../../ts/errors';
import type {
  CancelToken,
  NativeMicroBatch,
  NativeModel,
  NativeModule,
  NativeTensorEntry,
  NativeTrainer,
  NativeTrainingStep,
  TrainingTensors,
} from '../../ts/native/contract';
import { tinyShape } from '../support/shapes';
import type { TrainingSource } from '../../ts/train/source';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface FakeBehaviour {
  /** Milliseconds of a step. */
  stepMs?: number;
  /** Milliseconds between two tensors of a file that is written. */
  tensorMs?: number;
  /** Called before a file is written; may throw. */
  onWrite?: (path: string) => void;
  /** Called when a step begins; may throw. */
  onStep?: (batches: NativeMicroBatch[], step: number) => void;
}

export const fakeShape = tinyShape({ vocabularySize: 32, contextLength: 64 });
const SPECS = [
  { name: 'model.embed_tokens.weight', shape: [32, 4] },
  { name: 'model.layers.0.mlp.up_proj.weight', shape: [8, 4] },
  { name: 'model.norm.weight', shape: [4] },
];
type State = Record<TrainingTensors, Float32Array[]>;

export class FakeTrainer implements NativeTrainer {
  readonly dtype = 'f32';
  readonly device = fakeDevice;
  readonly parameters = 32 * 4 + 8 * 4 + 4;
  stepsDone = 0;
  disposed = false;
  private readonly state: State;

  constructor(
    private readonly behaviour: FakeBehaviour,
    tensors: NativeTensorEntry[],
  ) {
    const zeros = (): Float32Array[] => SPECS.map(({ shape }) => new Float32Array(product(shape)));
    this.state = { weights: zeros(), firstMoments: zeros(), secondMoments: zeros() };
    if (tensors.length > 0) this.load('weights', tensors);
    else
      this.state.weights.forEach((values, tensor) =>
        values.forEach((_, i) => (values[i] = 1 + tensor + i / 7)),
      );
  }

  async step(
    batches: NativeMicroBatch[],
    epoch: number,
    learningRate: number,
    cancel: CancelToken,
  ): Promise<NativeTrainingStep> {
    this.behaviour.onStep?.(batches, this.stepsDone);
    await wait(this.behaviour.stepMs ?? 0, cancel);
    const seen = createHash('sha256')
      .update(JSON.stringify([batches.map(plain), epoch]))
      .digest();
    SPECS.forEach((_, tensor) => {
      const { weights, firstMoments, secondMoments } = this.state;
      weights[tensor]!.forEach((weight, i) => {
        const gradient = seen[i % 32]! / 256 - weight / 10;
        const m = (firstMoments[tensor]![i] = 0.9 * firstMoments[tensor]![i]! + 0.1 * gradient);
        const v = (secondMoments[tensor]![i] = 0.99 * secondMoments[tensor]![i]! + 0.01 * gradient ** 2);
        weights[tensor]![i] = weight + (learningRate * m) / (Math.sqrt(v) + 1e-8);
      });
    });
    this.stepsDone++;
    const count = (labels: Int32Array): number => labels.filter((label) => label >= 0).length;
    return {
      loss: 1 / this.stepsDone,
      gradientNorm: seen[0]! / 256,
      lossTokens: batches.reduce((sum, { labels }) => sum + count(labels), 0),
      inputTokens: batches.reduce((sum, { tokens }) => sum + tokens.length, 0),
      milliseconds: 1,
    };
  }

  async evaluate(batch: NativeMicroBatch, noise: { length: number }, cancel: CancelToken) {
    await wait(0, cancel);
    const lossTokens = batch.labels.filter((label) => label >= 0).length;
    return {
      lossSum: 2 * lossTokens,
      lossTokens,
      correct: new Float64Array(noise.length).map((_, offset) => noise.length - 1 - offset),
      counted: new Float64Array(noise.length).fill(noise.length),
    };
  }

  snapshot(): Promise<NativeModel> {
    // Two steps of two tokens and of one, whatever the prompt.
    const generate: NativeModel['generate'] = async (_request, onPrefill, onStep) => {
      onPrefill(0);
      for (const length of [2, 1]) onStep({ tokens: new Int32Array(length) } as Parameters<typeof onStep>[0]);
    };
    return Promise.resolve({ generate, dispose: () => undefined } as Partial<NativeModel> as NativeModel);
  }

  tensorSpecs() {
    return SPECS;
  }

  async writeTensors(
    which: TrainingTensors,
    path: string,
    header: Uint8Array,
    names: string[],
    dtype: 'F32' | 'BF16',
    cancel: CancelToken,
  ): Promise<void> {
    const file = openSync(path, 'wx');
    try {
      this.behaviour.onWrite?.(path);
      writeSync(file, header);
      for (const name of names) {
        await wait(this.behaviour.tensorMs ?? 0, cancel);
        const values = this.state[which][SPECS.findIndex((spec) => spec.name === name)]!;
        const bytes = new Uint8Array(values.buffer);
        writeSync(file, dtype === 'F32' ? bytes : bytes.filter((_, i) => i % 4 >= 2));
      }
      fsyncSync(file);
    } catch (error) {
      rmSync(path);
      throw error;
    } finally {
      closeSync(file);
    }
  }

  restore(which: TrainingTensors, tensors: NativeTensorEntry[]): Promise<void> {
    this.load(which, tensors);
    return Promise.resolve();
  }

  gradient(): Float32Array {
    throw new Error('not part of the fake');
  }
  weight(): Float32Array {
    throw new Error('not part of the fake');
  }
  dispose(): void {
    this.disposed = true;
  }
  [Symbol.dispose](): void {
    this.dispose();
  }

  private load(which: TrainingTensors, tensors: NativeTensorEntry[]): void {
    for (const { name, file, begin, end } of tensors) {
      const bytes = readFileSync(file).subarray(begin, end);
      this.state[which][SPECS.findIndex((spec) => spec.name === name)]!.set(
        new Float32Array(Uint8Array.from(bytes).buffer),
      );
    }
  }
}

const fakeDevice = {
  kind: 'cpu',
  name: 'fake',
  instructions: '',
  computeCapability: '',
  shim: false,
  library: '',
  threads: 1,
  memoryBytes: 0,
  freeBytes: 0,
  reason: '',
};

const raised = new WeakSet<CancelToken>();

/** `trainers` collects what was created, for a look at it. */
export function fakeNative(behaviour: FakeBehaviour = {}, trainers: FakeTrainer[] = []): NativeModule {
  const native: Partial<NativeModule> = {
    createCancelToken: () => ({}) as CancelToken,
    cancel: (token) => void raised.add(token),
    createTrainer: (_shape, tensors) => {
      const trainer = new FakeTrainer(behaviour, tensors);
      trainers.push(trainer);
      return Promise.resolve(trainer);
    },
    draftPaths: () => ({ pathOffsets: Int32Array.of(0), pathColumns: new Int32Array() }),
  };
  return native as NativeModule;
}

export function fakeSource(storedDtype: 'F32' | 'BF16' = 'F32'): TrainingSource {
  return {
    shape: fakeShape,
    tensors: [],
    native: undefined,
    storedDtype,
    tokenizer: undefined,
    eosTokens: Int32Array.of(2),
    writeFiles: (folder) => {
      writeFileSync(join(folder, 'config.json'), '{}');
      return Promise.resolve();
    },
  };
}

async function wait(milliseconds: number, cancel: CancelToken): Promise<void> {
  const end = performance.now() + milliseconds;
  do {
    await delay(Math.min(1, milliseconds));
    if (raised.has(cancel)) throw new MakeSomeNoiseError('ERR_ABORTED', 'aborted');
  } while (performance.now() < end);
}

const plain = ({ tokens, labels, samples }: NativeMicroBatch): number[][] => [
  [...tokens],
  [...labels],
  [...samples],
];
const product = (shape: number[]): number => shape.reduce((all, size) => all * size, 1);
