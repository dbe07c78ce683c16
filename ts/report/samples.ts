/** Texts in which every step of decoding is one coloured patch, the warmer the more tokens it gave. */
import { escapeHtml } from './html';
import type { Sample, SampleText } from './report';

/** Steps of this many tokens and more share a colour. */
const MOST_COLOURS = 6;

export function samples(list: readonly Sample[]): string {
  return stepLegend() + list.map(sample).join('');
}

function stepLegend(): string {
  const items = Array.from({ length: MOST_COLOURS }, (_, index) => {
    const tokens = index + 1 === MOST_COLOURS ? `${MOST_COLOURS} or more` : String(index + 1);
    return `<li><span class="swatch step-${index + 1}"></span>${tokens}</li>`;
  });
  return `<ul class="legend"><li>tokens of a step:</li>${items.join('')}</ul>`;
}

function sample({ prompt, texts }: Sample): string {
  return `<h3 class="prompt">${escapeHtml(prompt)}</h3><div class="columns">${texts.map(column).join('')}</div>`;
}

function column({ name, steps }: SampleText): string {
  const patches = steps.map(({ text, tokens }, index) => {
    const title = `step ${index + 1}: ${tokens} ${tokens === 1 ? 'token' : 'tokens'}`;
    return `<span class="step-${Math.min(tokens, MOST_COLOURS)}" title="${title}">${escapeHtml(text)}</span>`;
  });
  const count = `${steps.length} ${steps.length === 1 ? 'step' : 'steps'}`;
  return `<div><h4>${escapeHtml(name)} <span class="hint">${count}</span></h4><pre class="text">${patches.join('')}</pre></div>`;
}
