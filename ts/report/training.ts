/** The report of one training run as the data of a page. */
import type { TrainingReport } from '../train/report';
import type { Details, Highlight, Report, SeriesRole } from './report';

export function reportOfTraining(report: TrainingReport): Report {
  const isNoisy = report.options.noise !== false;
  const role: SeriesRole = isNoisy ? 'noisy' : 'sft';
  const name = isNoisy ? 'noisy fine-tuning' : 'plain fine-tuning';
  const last = report.evaluations.at(-1);
  return {
    title: `makesomenoise: ${name}`,
    summary: `${report.steps.length.toLocaleString('en-US')} of ${report.totalSteps.toLocaleString('en-US')} optimizer steps, ${report.status}.`,
    highlights: highlights(report),
    lossCurves: [
      {
        name,
        role,
        steps: report.steps.map(({ step }) => step),
        losses: report.steps.map(({ loss }) => loss),
        evaluatedAt: report.evaluations.map(({ step }) => step),
        evaluationLosses: report.evaluations.map(({ loss }) => loss),
      },
    ],
    denoising:
      last === undefined || last.denoisingAccuracy.length === 0
        ? []
        : [{ name: `${name}, step ${last.step}`, role, byOffset: last.denoisingAccuracy }],
    details: details(report),
  };
}

function highlights({ evaluations, steps, timing }: TrainingReport): Highlight[] {
  const first = evaluations[0];
  const last = evaluations.at(-1);
  const inputTokens = steps.reduce((sum, step) => sum + step.inputTokens, 0);
  const list: Highlight[] = [];
  if (first !== undefined && last !== undefined) {
    const note = `${first.loss.toFixed(4)} nats at step ${first.step}`;
    list.push({ label: 'evaluation loss', value: last.loss.toFixed(4), note });
  }
  if (last?.tokensPerStep !== undefined) {
    const note = "TR-Jacobi with the paper's tree, on evaluation prompts";
    list.push({ label: 'tokens per step', value: last.tokensPerStep.toFixed(2), note });
  }
  if (timing.stepsMs > 0) {
    list.push({
      label: 'training tokens per second',
      value: Math.round((1000 * inputTokens) / timing.stepsMs).toLocaleString('en-US'),
      note: `${(timing.totalMs / 1000).toFixed(0)} s in all`,
    });
  }
  return list;
}

function details({ device, options, parameters, resumedAt }: TrainingReport): Details[] {
  const shown = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
  return [
    {
      title: 'Machine',
      entries: [
        ['device', `${device.kind}: ${device.name}`],
        ['instructions', device.instructions],
        ['threads', String(device.threads)],
        ['parameters', parameters.toLocaleString('en-US')],
        ...(resumedAt.length === 0 ? [] : [['resumed at steps', resumedAt.join(', ')] as [string, string]]),
      ],
    },
    {
      title: 'Options',
      entries: Object.entries(options)
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => [name, shown(value)]),
    },
  ];
}
