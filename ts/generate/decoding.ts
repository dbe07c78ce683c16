/** How a text is decoded: the `decoding` options and the draft tree that they name. */
import { z } from 'zod';
import type { NativeDraftPaths, NativeGenerationRequest, NativeModule } from '../native/contract';
import { boolean, either, exactly, integer, oneOf, options, seed } from '../validate';

/**
 * Positions of the tree that 'auto' takes on CUDA: the paper's tree, cut to whole tiles of the matrix products. There a
 * step reads all weights for one position as for 64, and reading them is most of it.
 */
const cudaTreeNodes = 64;

/**
 * The tree that 'auto' takes on the CPU: two retrieved tokens and the model's best guess. A step costs the more the more
 * positions it has (bench suite verify), so a large tree pays only where drafts are accepted far more often than they
 * are on ordinary text.
 */
function cpuTree({ topK, depth, retrieval }: CheckedDecoding): number[][] {
  const paths = retrieval === false ? [[0], [0, 0]] : [[topK], [topK, topK], [0]];
  return paths.filter((path) => path.length <= depth);
}

/** Which guesses are verified together in one step. */
export type DraftTreeOption =
  /** Chosen for the device: 4 positions on the CPU, 64 of the paper's tree on CUDA. */
  | 'auto'
  /** The 69 positions of the paper: the retrieved chain and Medusa's 63 paths. */
  | 'paper'
  /** The first `nodes` positions of the paper's tree, the root included. */
  | { nodes: number }
  /**
   * Your own: paths of columns of the draft table below the root, every parent before its children. Columns 0 to
   * topK - 1 are the model's guesses, best first; column topK is the retrieved continuation.
   */
  | { paths: number[][] };

/** How to decode. None of it changes the text, only how many steps it takes. */
export interface DecodingOptions {
  /** 'tr-jacobi' (default): trees of guesses and retrieval; 'jacobi': one chain; 'autoregressive': no guesses. */
  method?: 'autoregressive' | 'jacobi' | 'tr-jacobi' | undefined;
  /** Default 'auto'. Matters to 'tr-jacobi' alone. */
  tree?: DraftTreeOption | undefined;
  /** Guesses held for each place ahead, 1 to 64; default 10. */
  topK?: number | undefined;
  /** Places ahead that are guessed, 1 to 32; default 5. */
  depth?: number | undefined;
  /** Guesses from what the text has said before, for runs of at least `minMatch` (1 to 16, default 2) tokens. */
  retrieval?: boolean | { minMatch?: number | undefined } | undefined;
  /** Seed of the noise in unknown cells of the draft table; default 0. */
  noiseSeed?: number | undefined;
}

const treeSchema = either("'auto', 'paper', { nodes } or { paths }", [
  exactly('auto'),
  exactly('paper'),
  options({ nodes: integer(1, 512) }),
  options({ paths: z.array(z.array(integer(0, 64)).min(1, { error: 'at least one column' })) }),
] as const);

export const decodingSchema = options({
  method: oneOf(['autoregressive', 'jacobi', 'tr-jacobi']).default('tr-jacobi'),
  tree: treeSchema.default('auto'),
  topK: integer(1, 64).default(10),
  depth: integer(1, 32).default(5),
  retrieval: either('true, false or { minMatch }', [
    boolean(),
    options({ minMatch: integer(1, 16).default(2) }),
  ] as const).default(true),
  noiseSeed: seed().default(0),
});

type CheckedDecoding = z.output<typeof decodingSchema>;
type NativeDecoding = Pick<
  NativeGenerationRequest,
  'pathOffsets' | 'pathColumns' | 'depth' | 'width' | 'retrieval' | 'minMatch' | 'noiseSeed'
>;

/** The options as the native decoder takes them. `device` ('cpu', 'cuda:0') matters to the tree 'auto' alone. */
export function nativeDecoding(
  native: Pick<NativeModule, 'draftPaths'>,
  wanted: CheckedDecoding,
  device: string,
): NativeDecoding {
  const { depth, noiseSeed } = wanted;
  const none = { retrieval: false, minMatch: 2, noiseSeed };
  switch (wanted.method) {
    case 'autoregressive':
      return { ...flattenPaths([]), depth, width: 1, ...none };
    case 'jacobi':
      return { ...native.draftPaths('chain', 0, depth, 1), depth, width: 1, ...none };
    case 'tr-jacobi': {
      const { retrieval } = wanted;
      const minMatch = typeof retrieval === 'object' ? retrieval.minMatch : 2;
      return {
        ...treePaths(native, wanted, device),
        depth,
        width: wanted.topK,
        retrieval: retrieval !== false,
        minMatch,
        noiseSeed,
      };
    }
  }
}

function treePaths(
  native: Pick<NativeModule, 'draftPaths'>,
  decoding: CheckedDecoding,
  device: string,
): NativeDraftPaths {
  const { tree, depth, topK } = decoding;
  if (tree === 'auto')
    return device === 'cpu'
      ? flattenPaths(cpuTree(decoding))
      : native.draftPaths('nodes', cudaTreeNodes, depth, topK);
  if (tree === 'paper') return native.draftPaths('paper', 0, depth, topK);
  if ('nodes' in tree) return native.draftPaths('nodes', tree.nodes, depth, topK);
  return flattenPaths(tree.paths);
}

function flattenPaths(paths: ReadonlyArray<readonly number[]>): NativeDraftPaths {
  const offsets = [0];
  for (const path of paths) offsets.push(offsets.at(-1)! + path.length);
  return { pathOffsets: Int32Array.from(offsets), pathColumns: Int32Array.from(paths.flat()) };
}
