import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type DecodingRequest,
  type DecodingStep,
  decode,
  jacobi,
  nodeTree,
  paperTree,
  textOf,
} from '../support/decoding';
import { type TestModel, folderModel, modelFolder } from '../support/models';
import { describeShared, sharedFolder } from '../support/testing';

interface GreedyRun {
  method: 'jacobi' | 'tr-jacobi';
  depth?: number;
  tree?: 'paper' | { nodes: number } | string[];
  retrieval?: false;
  noiseSeed: number;
  steps: number;
  acceptedLengths: number[];
  acceptedPaths: string[];
  matches: Array<[number, number] | null>;
  knownRows: number[];
  drafted: number[][];
}
interface GreedyCase {
  model: string;
  kind: string;
  prompt: number[];
  maxNewTokens: number;
  endOfSequence: number[];
  tokens: number[];
  finishReason: string;
  runs: GreedyRun[];
}
interface SamplingCase {
  model: string;
  kind: string;
  prompt: number[];
  maxNewTokens: number;
  sampling: Pick<DecodingRequest, 'temperature' | 'topK' | 'topP' | 'minP' | 'repetitionPenalty' | 'seed'>;
  tokens: number[];
  noiseSeed: number;
  acceptedLengths: Record<'jacobi' | 'paper' | 'nodes:16', number[]>;
}

const read = (name: string): unknown =>
  JSON.parse(readFileSync(join(sharedFolder, 'reference/tr-jacobi', name), 'utf8'));

const width = 10;
const columns = (path: string): number[] =>
  [...path].map((letter) => (letter === 'K' ? width : Number(letter)));
const pathText = (path: number[], retrieved: number): string =>
  path.map((column) => (column === retrieved ? 'K' : column)).join('');

function methodOf(run: GreedyRun): Partial<DecodingRequest> {
  if (run.method === 'jacobi') return jacobi(run.depth);
  const retrieval = run.retrieval !== false;
  if (Array.isArray(run.tree)) return { paths: run.tree.map(columns), width, retrieval };
  return { ...(typeof run.tree === 'object' ? nodeTree(run.tree.nodes) : paperTree()), retrieval };
}

const models = new Map<string, TestModel>();
function modelNamed(name: string): TestModel {
  const model = models.get(name) ?? folderModel(modelFolder(name));
  models.set(name, model);
  return model;
}

// Steps led by the host and by the device leave the same traces.
const leads = ['host', 'device'] as const;

describeShared('traces of greedy decoding', () => {
  const cases = (): GreedyCase[] => read('greedy.json') as GreedyCase[];
  const explain = (step: DecodingStep, retrieved: number) => ({
    acceptedLength: step.acceptedLength,
    acceptedPath: pathText(step.acceptedPath, retrieved),
    match: step.matchLength > 0 ? [step.matchLength, step.matchEnd] : null,
    knownRows: step.knownRows,
  });

  const names = ['stories260K', 'llama-gqa-untied', 'llama-mha-tied'];
  test.each(leads.flatMap((lead) => names.map((name) => ({ lead, name }))))(
    '$name, $lead',
    ({ lead, name }) => {
      const own = cases().filter((one) => one.model === name);
      expect(own.length).toBeGreaterThan(0);
      for (const { prompt, maxNewTokens, endOfSequence, tokens, finishReason, runs } of own) {
        const request = { prompt, maxNewTokens, endOfSequence, lead };
        const alone = decode(modelNamed(name), request);
        expect(textOf(alone)).toEqual(tokens);
        expect(alone).toHaveLength(tokens.length);
        for (const run of runs) {
          const steps = decode(modelNamed(name), { ...request, ...methodOf(run), noiseSeed: run.noiseSeed });
          expect(textOf(steps)).toEqual(tokens);
          expect(steps.at(-1)!.finish).toBe(finishReason);
          const retrieved = run.method === 'jacobi' ? -1 : width;
          expect(steps.map((step) => explain(step, retrieved))).toEqual(
            run.acceptedLengths.map((acceptedLength, i) => ({
              acceptedLength,
              acceptedPath: run.acceptedPaths[i],
              match: run.matches[i],
              knownRows: run.knownRows[i],
            })),
          );
          expect(steps).toHaveLength(run.steps);
          expect(steps.slice(0, run.drafted.length).map((step) => step.drafted)).toEqual(run.drafted);
        }
      }
    },
  );
});

describeShared('traces of sampling', () => {
  test.each(leads)('a seed gives the same text with every method, %s', (lead) => {
    const cases = read('sampling.json') as SamplingCase[];
    for (const { model, prompt, maxNewTokens, sampling, tokens, noiseSeed, acceptedLengths } of cases) {
      const request = { prompt, maxNewTokens, ...sampling, noiseSeed, lead };
      expect(textOf(decode(modelNamed(model), request))).toEqual(tokens);
      const methods = { jacobi: jacobi(), paper: paperTree(), 'nodes:16': nodeTree(16) };
      for (const [name, method] of Object.entries(methods)) {
        const steps = decode(modelNamed(model), { ...request, ...method });
        expect(textOf(steps)).toEqual(tokens);
        expect(steps.map((step) => step.acceptedLength)).toEqual(
          acceptedLengths[name as keyof typeof methods],
        );
      }
    }
  });
});
