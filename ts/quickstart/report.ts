/** The quickstart's result as the data of a report. */
import type { AcceptedLengths, LossCurve, Report, SampleText, SeriesRole } from '../report/report';
import type { TrainingReport } from '../train/report';
import { compareModels, PAPER, RESULT_COLUMNS, resultRows, signed } from './figures';
import { figuresOf, type ModelFigures, type QuickstartResult } from './result';

export function quickstartReport(result: QuickstartResult): Report {
  const { sft, noisy, base, recipe } = result;
  const { gain, exactMatch, evaluationLoss } = compareModels(result);
  const noisySteps = figuresOf(noisy, PAPER).tokensPerStep;
  return {
    title: 'makesomenoise quickstart',
    summary:
      `One small model, trained from scratch on ${recipe.train.toLocaleString('en-US')} examples and then fine-tuned twice ` +
      `for ${recipe.fineTuning.steps} steps from the same weights with the same seed: plainly (SFT), and with noise in its ` +
      'inputs. Every number was measured in this run.',
    highlights: [
      {
        label: 'tokens per step',
        value: noisySteps.toFixed(2),
        note: `noisy, TR-Jacobi with the paper's tree; SFT gives ${figuresOf(sft, PAPER).tokensPerStep.toFixed(2)}`,
      },
      {
        label: 'gained by noise',
        value: `${gain.toFixed(2)} ×`,
        note: 'fewer steps for the same number of tokens',
      },
      {
        label: 'price: exact match',
        value: signed(exactMatch, 3),
        note: `${noisy.exactMatch.toFixed(3)} instead of ${sft.exactMatch.toFixed(3)}`,
      },
      {
        label: 'price: evaluation loss',
        value: signed(evaluationLoss, 4),
        note: `${noisy.evaluationLoss.toFixed(4)} instead of ${sft.evaluationLoss.toFixed(4)} nats`,
      },
    ],
    results: {
      columns: RESULT_COLUMNS,
      rows: resultRows(result),
      note:
        `Greedy answers to ${recipe.heldOut} prompts that training never saw; exact match: right to the letter. Same text: ` +
        "token for token that of autoregressive decoding. The paper's tree verifies 69 positions a step; a model this small " +
        "lies in the processor's caches, where that costs more time than the saved steps give back. The tree of 'auto' is " +
        'chosen for the device.',
    },
    samples: sft.samples.map((sample, index) => ({
      prompt: sample.prompt,
      texts: [
        sampleText('SFT, autoregressive', sft, index, 'autoregressive'),
        sampleText('SFT, TR-Jacobi', sft, index, PAPER),
        sampleText('noisy, TR-Jacobi', noisy, index, PAPER),
      ],
    })),
    acceptedLengths: [acceptedLengths('SFT', 'sft', sft), acceptedLengths('noisy', 'noisy', noisy)],
    denoising: [
      { name: 'SFT', role: 'sft', byOffset: sft.denoisingAccuracy },
      { name: 'noisy', role: 'noisy', byOffset: noisy.denoisingAccuracy },
    ],
    lossCurves: [
      lossCurve('base', 'base', base.training, 0),
      lossCurve('SFT', 'sft', sft.training, recipe.base.steps),
      lossCurve('noisy', 'noisy', noisy.training, recipe.base.steps),
    ],
    details: details(result),
  };
}

function sampleText(name: string, model: ModelFigures, sample: number, choice: string): SampleText {
  return { name, steps: model.samples[sample]!.steps[choice]! };
}

function acceptedLengths(name: string, role: SeriesRole, model: ModelFigures): AcceptedLengths {
  return { name, role, counts: figuresOf(model, PAPER).acceptedLengths };
}

/** @param offset steps of the training before */
function lossCurve(name: string, role: SeriesRole, report: TrainingReport, offset: number): LossCurve {
  return {
    name,
    role,
    steps: report.steps.map(({ step }) => offset + step),
    losses: report.steps.map(({ loss }) => loss),
    evaluatedAt: report.evaluations.map(({ step }) => offset + step),
    evaluationLosses: report.evaluations.map(({ loss }) => loss),
  };
}

function details({ recipe, seed, base, sft, noisy, milliseconds }: QuickstartResult): Report['details'] {
  const { device, parameters } = base.training;
  const shown = (value: unknown): string =>
    JSON.stringify(value)
      .replace(/"/g, '')
      .replace(/([,:])/g, '$1 ');
  const options = noisy.training.options;
  const names = [
    'batchSize',
    'optimizer',
    'clipNorm',
    'schedule',
    'warmupRatio',
    'finalLearningRateRatio',
    'seed',
  ];
  return [
    {
      title: 'Machine',
      entries: [
        ['device', `${device.kind}: ${device.name}`],
        ['instructions', device.instructions],
        ['threads', String(device.threads)],
        ['Node', `${process.version}, ${process.platform}-${process.arch}`],
        ['time in all', `${(milliseconds / 1000).toFixed(0)} s`],
      ],
    },
    {
      title: 'Model and data',
      entries: [
        ['parameters', parameters.toLocaleString('en-US')],
        ['hidden, inner', `${recipe.model.hidden_size}, ${recipe.model.intermediate_size ?? ''}`],
        ['layers, heads', `${recipe.model.num_hidden_layers}, ${recipe.model.num_attention_heads}`],
        ['examples', `${recipe.train.toLocaleString('en-US')}, one token a character`],
        ['seed', String(seed)],
      ],
    },
    {
      title: 'Training',
      entries: [
        ['base', `${recipe.base.steps} steps, learning rate ${recipe.base.learningRate}`],
        ['fine-tuning', `${recipe.fineTuning.steps} steps, learning rate ${recipe.fineTuning.learningRate}`],
        ['noise', shown(options.noise)],
        ...names.map((name): [string, string] => [name, shown(options[name])]),
      ],
    },
    {
      title: 'Exact match by task, SFT and noisy',
      entries: Object.entries(sft.exactMatchByTask).map(([task, match]): [string, string] => [
        task,
        `${match.toFixed(2)}, ${noisy.exactMatchByTask[task as keyof typeof sft.exactMatchByTask].toFixed(2)}`,
      ]),
    },
  ];
}
