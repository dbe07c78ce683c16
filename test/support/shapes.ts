/** Model shapes for tests, small enough to compute thousands of. */
import type { NativeModelShape } from '../../ts/native/contract';

/** A tiny Llama, with what the test wants to be different. */
export function tinyShape(different: Partial<NativeModelShape> = {}): NativeModelShape {
  return {
    vocabularySize: 24,
    hiddenSize: 16,
    intermediateSize: 24,
    layers: 2,
    heads: 4,
    kvHeads: 2,
    headDim: 4,
    contextLength: 256,
    window: 0,
    normEpsilon: 1e-5,
    tiedHead: true,
    attentionBias: false,
    queryKeyNorm: false,
    ropeKind: 'default',
    ropeTheta: 10000,
    ropeFactor: 1,
    ropeLowFreqFactor: 1,
    ropeHighFreqFactor: 4,
    ropeOriginalLength: 0,
    ...different,
  };
}
