/** What a request may be, where a text ends, and what a step reports; the traces are in tr-jacobi.test.ts. */
import { type DecodingRequest, decode, jacobi, nodeTree, paperTree, textOf } from '../support/decoding';
import { randomModel } from '../support/models';

const model = randomModel({ vocabularySize: 24, contextLength: 40 }, 3);
const prompt = [3, 1, 4, 1, 5];
const greedy = textOf(decode(model, { prompt, maxNewTokens: 35 }));

describe('the end of a text', () => {
  test('is exactly maxNewTokens', () => {
    for (const method of [{}, jacobi(), paperTree()])
      for (const maxNewTokens of [1, 2, 7]) {
        const steps = decode(model, { prompt, maxNewTokens, ...method });
        expect(textOf(steps)).toEqual(greedy.slice(0, maxNewTokens));
        expect(steps.map((step) => step.finish)).toEqual([...steps.slice(1).map(() => ''), 'length']);
      }
  });
  test('is the first end-of-sequence id, which is kept', () => {
    const ends = [greedy[6]!, greedy[9]!];
    const expected = greedy.slice(0, greedy.findIndex((token) => ends.includes(token)) + 1);
    for (const method of [{}, jacobi(), nodeTree(32)]) {
      const steps = decode(model, { prompt, maxNewTokens: 35, endOfSequence: ends, ...method });
      expect(textOf(steps)).toEqual(expected);
      expect(steps.at(-1)!.finish).toBe('stop');
    }
  });
  test('an end of sequence at the limit is a stop', () => {
    const limit = greedy.indexOf(greedy[2]!) + 1;
    const steps = decode(model, { prompt, maxNewTokens: limit, endOfSequence: [greedy[2]!] });
    expect(steps.at(-1)!.finish).toBe('stop');
  });
  test('is the context length', () => {
    for (const method of [{}, jacobi(8), paperTree()]) {
      const steps = decode(model, { prompt, maxNewTokens: 1000, ...method });
      expect(textOf(steps)).toEqual(greedy);
      expect(steps.at(-1)!.finish).toBe('length');
    }
  });
});

describe('a step', () => {
  test('leaves out nodes beyond the context', () => {
    const steps = decode(model, {
      prompt: [...prompt, ...greedy.slice(0, 33)],
      maxNewTokens: 9,
      ...jacobi(5),
    });
    // 38 known tokens, the root at position 37: two nodes more, at 38 and 39.
    expect(steps[0]!.drafted).toHaveLength(2);
    expect(textOf(steps)).toEqual(greedy.slice(33));
  });
  test('says where accepted drafts came from', () => {
    const period = [7, 8, 9];
    const repetitive = Array.from({ length: 24 }, (_, i) => period[i % 3]!);
    const [first] = decode(model, { prompt: repetitive, maxNewTokens: 1, ...paperTree() });
    expect(first).toMatchObject({ matchLength: 16, matchEnd: 21, knownRows: first!.knownRows });
    expect(first!.drafted.slice(0, 5)).toEqual([7, 8, 9, 7, 8]);
    const steps = decode(model, { prompt, maxNewTokens: 30, ...paperTree() });
    for (const step of steps) {
      expect(step.acceptedSources).toHaveLength(step.acceptedLength - 1);
      expect(step.acceptedPath).toHaveLength(step.acceptedLength - 1);
      step.acceptedPath.forEach((column, i) => {
        const allowed = column < 10 ? [0, 1] : step.matchLength > 0 ? [2] : [1];
        expect(allowed).toContain(step.acceptedSources[i]);
      });
    }
    expect(steps.some((step) => step.acceptedLength > 1)).toBe(true);
  });
  test('without retrieval the retrieved column is noise from the known tokens', () => {
    const steps = decode(model, { prompt, maxNewTokens: 12, ...nodeTree(6), retrieval: false });
    expect(steps.every((step) => step.matchLength === 0)).toBe(true);
    expect(steps[0]!.drafted.every((token) => prompt.includes(token))).toBe(true);
  });
  test('the noise seed changes drafts, never the text', () => {
    const run = (noiseSeed: number) => decode(model, { prompt, maxNewTokens: 20, noiseSeed, ...jacobi() });
    expect(run(1)[0]!.drafted).not.toEqual(run(2)[0]!.drafted);
    expect(run(1)[0]!.drafted).not.toEqual(run(1 + 2 ** 32)[0]!.drafted);
    expect(textOf(run(1))).toEqual(textOf(run(2)));
  });
});

describe('refusals', () => {
  test.each<[Partial<DecodingRequest>, string]>([
    [{ prompt: [] }, 'prompt: expected at least one token, received none'],
    [{ prompt: [1, 24] }, 'prompt[1]: expected a token id from 0 to 23, received 24'],
    [{ prompt: [-1] }, 'prompt[0]: expected a token id from 0 to 23, received -1'],
    [
      { prompt: new Array<number>(40).fill(1) },
      'prompt: expected at most 39 tokens (one less than the context length 40), received 40',
    ],
    [{ endOfSequence: [2, 24] }, 'eosTokens[1]: expected a token id from 0 to 23, received 24'],
    [{ maxNewTokens: 0 }, 'maxNewTokens: expected an integer from 1 to 2147483647, received 0'],
    [{ minMatch: 0 }, 'decoding.retrieval.minMatch: expected an integer from 1 to 16, received 0'],
    [{ minMatch: 17 }, 'decoding.retrieval.minMatch: expected an integer from 1 to 16, received 17'],
    [{ depth: 33 }, 'decoding.depth: expected an integer from 1 to 32, received 33'],
    [{ width: 0 }, 'decoding.topK: expected an integer from 1 to 64, received 0'],
    [{ paths: [[0, 1]] }, 'decoding.tree.paths[0]: expected the parent path [0] before [0, 1]'],
    [{ temperature: -1 }, 'sampling.temperature: expected a number of at least 0, received -1'],
  ])('%j', (different, message) => {
    expect(() => decode(model, { prompt, ...different })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT', message }),
    );
  });
  test('a raised token aborts the prefill', () => {
    expect(() => decode(model, { prompt, cancelled: true })).toThrow(
      expect.objectContaining({ code: 'ERR_ABORTED' }),
    );
  });
});
