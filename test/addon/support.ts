/** Tiny models and requests for the tests of the addon. */
import { loadNative } from '../../ts/native/load';
import type {
  CancelToken,
  NativeDecodingStep,
  NativeDeviceOptions,
  NativeGenerationRequest,
  NativeModel,
  NativeModelShape,
} from '../../ts/native/contract';
import { tinyShape } from '../support/shapes';

export const native = loadNative();
export const device: NativeDeviceOptions = { device: 'cpu', threads: 1, instructions: '' };
/** A token that nobody raises. */
export const never = (): CancelToken => native.createCancelToken();
export const ignore = (): undefined => undefined;

export const tinyModel = (different: Partial<NativeModelShape> = {}, seed = 1): Promise<NativeModel> =>
  native.createModel(tinyShape(different), seed, 0.3, 'f32', device, never());

export function request(different: Partial<NativeGenerationRequest> = {}): NativeGenerationRequest {
  return {
    prompt: Int32Array.of(1, 2, 3),
    maxNewTokens: 20,
    endOfSequence: new Int32Array(),
    temperature: 0,
    topK: 0,
    topP: 1,
    minP: 0,
    repetitionPenalty: 1,
    seed: 0,
    ...native.draftPaths('paper', 0, 5, 10),
    depth: 5,
    width: 10,
    retrieval: true,
    minMatch: 2,
    noiseSeed: 0,
    ...different,
  };
}

/** A model and a request that keep the engine busy until the token is raised: every token is sampled, none ends. */
export const endlessShape: Partial<NativeModelShape> = { contextLength: 1 << 24, window: 64 };
export const endless = (): NativeGenerationRequest =>
  request({
    maxNewTokens: 1 << 23,
    temperature: 1,
    pathOffsets: new Int32Array(),
    pathColumns: new Int32Array(),
  });

export async function generateSteps(
  model: NativeModel,
  different: Partial<NativeGenerationRequest> = {},
): Promise<NativeDecodingStep[]> {
  const steps: NativeDecodingStep[] = [];
  await model.generate(request(different), ignore, (step) => void steps.push(step), never());
  return steps;
}

/** What the promise was rejected with. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('the promise was expected to be rejected');
}
