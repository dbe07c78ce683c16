/** The results as text: the table, and what noise brought and cost. */
import { figuresOf, type ModelFigures, type QuickstartResult } from './result';

/** The tree of the paper: what the bars of the quickstart are about. */
export const PAPER = 'tr-jacobi, paper tree';

export const RESULT_COLUMNS = [
  'model',
  'evaluation loss',
  'exact match',
  'decoding',
  'tokens/step',
  'tokens/s',
  'same text',
];

export function resultRows(result: QuickstartResult): string[][] {
  return [...modelRows('SFT', result.sft), ...modelRows('noisy', result.noisy)];
}

function modelRows(name: string, model: ModelFigures): string[][] {
  return model.decoding.map((figures, index) => [
    index === 0 ? name : '',
    index === 0 ? model.evaluationLoss.toFixed(4) : '',
    index === 0 ? model.exactMatch.toFixed(3) : '',
    figures.name,
    figures.tokensPerStep.toFixed(2),
    Math.round(figures.tokensPerSecond).toLocaleString('en-US'),
    // evaluateModel throws where it is not.
    index === 0 ? '' : 'yes',
  ]);
}

export interface Comparison {
  /** Noisy over SFT, tokens per step of TR-Jacobi with the paper's tree. */
  gain: number;
  /** Noisy less SFT. */
  exactMatch: number;
  evaluationLoss: number;
}

export function compareModels({ sft, noisy }: QuickstartResult): Comparison {
  return {
    gain: figuresOf(noisy, PAPER).tokensPerStep / figuresOf(sft, PAPER).tokensPerStep,
    exactMatch: noisy.exactMatch - sft.exactMatch,
    evaluationLoss: noisy.evaluationLoss - sft.evaluationLoss,
  };
}

/** With a real minus sign, '+0.003' where it grows. */
export function signed(value: number, digits: number): string {
  const shown = Math.abs(value).toFixed(digits);
  if (Number(shown) === 0) return shown;
  return `${value < 0 ? '−' : '+'}${shown}`;
}
