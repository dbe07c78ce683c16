/** Grouped horizontal bars in plain HTML, each with its number beside it. */
import { escapeHtml } from './html';
import type { AcceptedLengths, DenoisingAccuracy, SeriesRole } from './report';

interface Series {
  name: string;
  role: SeriesRole;
  values: number[];
}

/** Bars by offset; full width is 100 %. */
export function denoisingBars(accuracies: readonly DenoisingAccuracy[]): string {
  const series = accuracies.map(({ name, role, byOffset }) => ({ name, role, values: byOffset }));
  return legend(series) + bars(series, (index) => `offset ${index + 1}`, 1);
}

/** Bars by accepted length, as parts of all steps; full width is the largest part. */
export function acceptedLengthBars(lengths: readonly AcceptedLengths[]): string {
  const series = lengths.map(({ name, role, counts }) => {
    const steps = counts.reduce((sum, count) => sum + count, 0);
    return { name, role, values: counts.map((count) => (steps === 0 ? 0 : count / steps)) };
  });
  const largest = Math.max(...series.flatMap(({ values }) => values), 0);
  return legend(series) + bars(series, (index) => (index === 0 ? '1 token' : `${index + 1} tokens`), largest);
}

export function legend(series: ReadonlyArray<Pick<Series, 'name' | 'role'>>): string {
  const items = series.map(
    ({ name, role }) => `<li><span class="swatch ${role}"></span>${escapeHtml(name)}</li>`,
  );
  return `<ul class="legend">${items.join('')}</ul>`;
}

function bars(series: readonly Series[], groupName: (index: number) => string, full: number): string {
  const groups = Math.max(...series.map(({ values }) => values.length), 0);
  const rows = Array.from({ length: groups }, (_, index) => {
    const lines = series.map((one) => bar(one, one.values[index] ?? 0, full));
    return `<span class="group">${groupName(index)}</span>${lines.join('')}`;
  });
  return `<div class="bars" style="--series:${series.length}">${rows.join('<span class="gap"></span>')}</div>`;
}

function bar({ name, role }: Series, value: number, full: number): string {
  const width = full === 0 ? 0 : (100 * value) / full;
  const number = `${(100 * value).toFixed(1)} %`;
  return (
    `<span class="bar" title="${escapeHtml(name)}: ${number}"><span class="track">` +
    `<span class="fill ${role}" style="width:${width.toFixed(2)}%"></span></span>` +
    `<span class="number">${number}</span></span>`
  );
}
