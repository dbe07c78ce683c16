/**
 * Whole generations by every method, in turns: tokens per step, tokens per second, and whether the text is that of
 * ordinary decoding.
 */
import { generate, type DecodingOptions } from '../../generate';
import type { Measurement } from '../report';
import type { BenchTree } from '../settings';
import { spreadOf } from '../statistics';
import { benchPrompts } from '../prompts';
import { repeated, type Suite, type SuiteContext } from './suite';

interface Method {
  readonly name: string;
  readonly decoding: DecodingOptions;
}

interface Outcome {
  readonly texts: readonly Int32Array[];
  readonly newTokens: number;
  readonly steps: number;
  readonly decodeMs: number;
}

export const generateSuite: Suite = async (context) => {
  const { model, settings } = context;
  const methods: Method[] = [
    { name: 'autoregressive', decoding: { method: 'autoregressive' } },
    { name: 'jacobi', decoding: { method: 'jacobi' } },
    ...settings.trees.map(treeMethod),
  ];
  const prompts = await benchPrompts(model, settings);
  const rounds = await repeated(settings.repeats, async () => {
    const outcomes: Outcome[] = [];
    for (const method of methods) {
      settings.onProgress?.(`generate: ${method.name}, ${prompts.length} prompts`);
      outcomes.push(await generateAll(context, prompts, method));
    }
    return outcomes;
  });
  return {
    measurements: methods.flatMap(({ name }, index) => measurementsOf(name, index, rounds)),
    failures: methods.flatMap(({ name }, index) => differences(name, index, rounds)),
  };
};

function treeMethod(tree: BenchTree): Method {
  const name = `tr-jacobi, ${typeof tree === 'number' ? `${tree} nodes` : `${tree} tree`}`;
  return {
    name,
    decoding: { method: 'tr-jacobi', tree: typeof tree === 'number' ? { nodes: tree } : tree },
  };
}

async function generateAll(
  { model, settings }: SuiteContext,
  prompts: readonly Int32Array[],
  method: Method,
): Promise<Outcome> {
  const texts: Int32Array[] = [];
  const sums = { newTokens: 0, steps: 0, decodeMs: 0 };
  for (const tokens of prompts) {
    const { tokens: text, stats } = await generate(model, {
      tokens,
      maxNewTokens: settings.newTokens,
      decoding: method.decoding,
      signal: settings.signal,
      throwOnAbort: true,
    });
    texts.push(text);
    sums.newTokens += stats.newTokens;
    sums.steps += stats.steps;
    sums.decodeMs += stats.decodeMs;
  }
  return { texts, ...sums };
}

const tokensPerSecond = ({ newTokens, decodeMs }: Outcome): number => (1000 * newTokens) / decodeMs;

function measurementsOf(name: string, index: number, rounds: readonly Outcome[][]): Measurement[] {
  const outcomes = rounds.map((outcomes) => outcomes[index]!);
  const common = { suite: 'generate', name, better: 'higher' } as const;
  const perStep = outcomes.map(({ newTokens, steps }) => newTokens / steps);
  // Within one round, so that a machine that slows down slows both.
  const speedups = rounds.map((round) => tokensPerSecond(round[index]!) / tokensPerSecond(round[0]!));
  return [
    { ...common, unit: 'tokens/step', spread: spreadOf(perStep) },
    { ...common, unit: 'tokens/s', spread: spreadOf(outcomes.map(tokensPerSecond)) },
    ...(index === 0 ? [] : [{ ...common, unit: 'x autoregressive', spread: spreadOf(speedups) } as const]),
  ];
}

/** Greedy text is the same with every method, in every round (docs/exactness.md). */
function differences(name: string, index: number, rounds: readonly Outcome[][]): string[] {
  const expected = rounds[0]![0]!.texts;
  const different = expected.filter((text, prompt) =>
    rounds.some((round) => !sameTokens(round[index]!.texts[prompt]!, text)),
  );
  if (different.length === 0) return [];
  return [
    `generate: ${name}: the text of ${different.length} of ${expected.length} prompts is not that of autoregressive decoding`,
  ];
}

const sameTokens = (a: Int32Array, b: Int32Array): boolean =>
  a.length === b.length && a.every((token, index) => token === b[index]);
