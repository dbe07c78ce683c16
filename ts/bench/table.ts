/** Shows a report and a comparison as text for a terminal, which is also Markdown. */
import type { Change, Comparison } from './compare';
import type { BenchReport } from './report';

export function reportTable(report: BenchReport): string {
  const { machine, subject } = report;
  const settings = Object.entries(report.settings).map(([name, value]) => `${name} ${String(value)}`);
  return [
    `${subject.name}: ${subject.parameters.toLocaleString('en')} parameters, ${subject.weights} weights, ${subject.dtype}`,
    `${machine.cpu}, ${subject.device} with ${subject.instructions}, ${subject.threads} threads of ` +
      `${machine.logicalCores} cores, ${(machine.memoryBytes / 2 ** 30).toFixed(0)} GiB`,
    `makesomenoise ${machine.version}, Node ${machine.node}, ${machine.platform}, ${machine.date}`,
    settings.join(', '),
    '',
    ...markdownTable(
      ['suite', 'measurement', 'unit', 'median', 'quartiles', 'min', 'max', 'samples'],
      report.measurements.map(({ suite, name, unit, spread }) => [
        suite,
        name,
        unit,
        figure(spread.median),
        `${figure(spread.lowerQuartile)} to ${figure(spread.upperQuartile)}`,
        figure(spread.min),
        figure(spread.max),
        String(spread.samples),
      ]),
    ),
    ...report.failures.map((failure) => `\nFAILED ${failure}`),
  ].join('\n');
}

export function comparisonTable(comparison: Comparison, maxRegression: number): string {
  const bad = comparison.changes.filter(({ verdict }) => verdict === 'slower' || verdict === 'missing');
  const limit = `${(100 * maxRegression).toFixed(1)} %`;
  return [
    ...comparison.notes,
    ...markdownTable(
      ['suite', 'measurement', 'unit', 'baseline', 'now', 'change', 'verdict'],
      comparison.changes.map((change) => [
        change.suite,
        change.name,
        change.unit,
        change.before === undefined ? '' : figure(change.before),
        change.after === undefined ? '' : figure(change.after),
        describeChange(change),
        change.verdict,
      ]),
    ),
    '',
    bad.length === 0
      ? `nothing is worse than the baseline by more than ${limit} and beyond its spread`
      : `${bad.length} of ${comparison.changes.length} measurements are missing, or worse than the baseline by more ` +
        `than ${limit} and beyond their spread`,
  ].join('\n');
}

function describeChange({ worseBy }: Change): string {
  if (worseBy === undefined) return '';
  const percentage = `${Math.abs(100 * worseBy).toFixed(1)} %`;
  return worseBy > 0 ? `${percentage} worse` : `${percentage} better`;
}

/** Three significant digits, or all digits before the point. */
export function figure(value: number): string {
  const digits = value === 0 ? 0 : Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(digits);
}

export function markdownTable(header: readonly string[], rows: ReadonlyArray<readonly string[]>): string[] {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`;
  return [line(header), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)];
}
