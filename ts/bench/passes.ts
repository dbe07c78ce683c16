/** Times single forward passes, without drafts, acceptance or text around them. */
import { MakeSomeNoiseError } from '../errors';
import { internalsOf, type Model } from '../model/model';
import { cancellable } from '../native/cancel';

export interface PassOptions {
  /** Nodes of the pass: a chain of `nodes` tokens. */
  readonly nodes: number;
  /** Cached positions before them. */
  readonly prefix: number;
  readonly repeats: number;
  /** Whether the pass ends in logits of every node, as a decoding step does, or without, as a prefill does. */
  readonly withLogits: boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Milliseconds of each of `repeats` passes.
 *
 * @throws ERR_INVALID_ARGUMENT when the positions do not fit into the context, ERR_ABORTED, ERR_DISPOSED
 */
export async function timePasses(model: Model, options: PassOptions): Promise<Float64Array> {
  const { nodes, prefix, repeats, withLogits, signal } = options;
  const { contextLength } = model.info;
  if (prefix + nodes > contextLength) {
    throw new MakeSomeNoiseError(
      'ERR_INVALID_ARGUMENT',
      `nodes: expected at most ${contextLength - prefix} behind ${prefix} cached positions, received ${nodes}`,
    );
  }
  const { module, native } = internalsOf(model);
  return cancellable(module, signal, (token) => native.timePasses(nodes, prefix, repeats, withLogits, token));
}
