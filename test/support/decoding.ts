/** Decoding requests of the tests' addon, typed. */
import type { TestModel } from './models';
import { loadTesting } from './testing';

export interface DecodingRequest {
  prompt: ArrayLike<number>;
  maxNewTokens?: number;
  endOfSequence?: number[];
  temperature?: number;
  topK?: number;
  topP?: number;
  minP?: number;
  repetitionPenalty?: number;
  seed?: number;
  /** Draft paths below the root; none: autoregressive. */
  paths?: number[][];
  depth?: number;
  width?: number;
  retrieval?: boolean;
  minMatch?: number;
  noiseSeed?: number;
  cancelled?: boolean;
  /** Who leads through a step; default: as the backend likes it. */
  lead?: 'host' | 'device';
}
export interface DecodingStep {
  tokens: number[];
  acceptedLength: number;
  finish: '' | 'stop' | 'length';
  acceptedSources: number[];
  acceptedPath: number[];
  matchLength: number;
  matchEnd: number;
  knownRows: number;
  drafted: number[];
}

export const decode = (model: TestModel, request: DecodingRequest): DecodingStep[] =>
  loadTesting().decode!({ model, ...request }) as DecodingStep[];

export const textOf = (steps: DecodingStep[]): number[] => steps.flatMap((step) => step.tokens);

type Method = Pick<DecodingRequest, 'paths' | 'depth' | 'width' | 'retrieval'>;
const named = (args: Record<string, unknown>): number[][] => loadTesting().draftPaths!(args) as number[][];

/** Plain Jacobi decoding: one column, no retrieval. */
export const jacobi = (depth = 5): Method => ({
  paths: named({ kind: 'chain', depth }),
  depth,
  width: 1,
  retrieval: false,
});
export const paperTree = (depth = 5, width = 10): Method => ({
  paths: named({ kind: 'paper', depth, width }),
  depth,
  width,
});
export const nodeTree = (nodes: number, depth = 5, width = 10): Method => ({
  paths: named({ kind: 'nodes', nodes, depth, width }),
  depth,
  width,
});
