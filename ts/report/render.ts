/** From the data of a report to one HTML file that needs nothing from anywhere. */
import { acceptedLengthBars, denoisingBars } from './bars';
import { escapeHtml, section } from './html';
import { lossChart, lossChartAssets } from './loss-chart';
import type { Details, Highlight, Report, ResultTable } from './report';
import { samples } from './samples';
import { STYLE } from './style';

/** The page as a string; pure but for reading uPlot out of its package. */
export function renderReport(report: Report): string {
  const assets = isFilled(report.lossCurves) ? lossChartAssets(report.lossCurves) : { style: '', script: '' };
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="makesomenoise">
<link rel="icon" href="data:,">
<title>${escapeHtml(report.title)}</title>
<style>${assets.style}${STYLE}</style>
</head>
<body>
<main>
<h1>${escapeHtml(report.title)}</h1>
<p>${escapeHtml(report.summary)}</p>
${sections(report).join('\n')}
</main>
${assets.script}
</body>
</html>
`;
}

function sections(report: Report): string[] {
  const parts: string[] = [];
  if (isFilled(report.highlights)) parts.push(highlights(report.highlights));
  if (report.results !== undefined) {
    parts.push(section('results', 'Results', 'Measured in this run.', resultTable(report.results)));
  }
  if (isFilled(report.samples)) {
    parts.push(
      section(
        'samples',
        'Text, step by step',
        'Every patch is what one forward pass of the model gave. The texts of one model are equal whatever the method; fewer, warmer patches mean fewer passes.',
        samples(report.samples),
      ),
    );
  }
  if (isFilled(report.acceptedLengths)) {
    parts.push(
      section(
        'accepted-lengths',
        'Accepted lengths',
        'How many tokens a step of TR-Jacobi decoding accepted, as a part of all steps.',
        acceptedLengthBars(report.acceptedLengths),
      ),
    );
  }
  if (isFilled(report.denoising)) {
    parts.push(
      section(
        'denoising',
        'Denoising accuracy',
        'Part of the tokens that the model predicts rightly although the tokens before it are noise. Offset 1 follows the first noise token.',
        denoisingBars(report.denoising),
      ),
    );
  }
  if (isFilled(report.lossCurves)) {
    parts.push(
      section(
        'loss',
        'Loss',
        'Lines: training loss, a running mean. Circles: loss on held-out data, without noise. A noisy run trains on harder inputs, so its line lies higher than its circles.',
        lossChart(report.lossCurves),
      ),
    );
  }
  if (isFilled(report.details)) {
    parts.push(
      section(
        'details',
        'How it was made',
        'What a repetition needs.',
        `<div class="details">${report.details.map(details).join('')}</div>`,
      ),
    );
  }
  return parts;
}

function isFilled<T>(list: readonly T[] | undefined): list is readonly T[] {
  return list !== undefined && list.length > 0;
}

function highlights(list: readonly Highlight[]): string {
  const items = list.map(
    ({ value, label, note }) =>
      `<div><dt>${escapeHtml(label)}</dt><dd class="value">${escapeHtml(value)}</dd>` +
      `${note === undefined ? '' : `<dd class="hint">${escapeHtml(note)}</dd>`}</div>`,
  );
  return `<dl class="highlights">${items.join('')}</dl>`;
}

/** Columns of words are set to the left, columns of figures to the right. */
function resultTable({ columns, rows, note }: ResultTable): string {
  const isWords = columns.map((_, index) => rows.some((row) => !/^[-+\d.,%× ]*$/.test(row[index] ?? '')));
  const cells = (row: readonly string[], tag: string): string =>
    row
      .map((text, index) => `<${tag}${isWords[index] ? ' class="words"' : ''}>${escapeHtml(text)}</${tag}>`)
      .join('');
  const header = cells(columns, 'th');
  const body = rows.map((row) => `<tr>${cells(row, 'td')}</tr>`);
  const table = `<table><thead><tr>${header}</tr></thead><tbody>${body.join('')}</tbody></table>`;
  return `<div class="scroll">${table}</div>${note === undefined ? '' : `<p class="note">${escapeHtml(note)}</p>`}`;
}

function details({ title, entries }: Details): string {
  const items = entries.map(([name, value]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd>`);
  return `<div><h3>${escapeHtml(title)}</h3><dl>${items.join('')}</dl></div>`;
}
