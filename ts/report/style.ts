/** The report's style sheet: light and dark, one column on a phone, no font from elsewhere. */

/** Colours of the series by role; both sets keep a contrast of at least 4.5 to their background. */
const LIGHT = `
  --page: #f6f7f9; --card: #ffffff; --text: #1b2330; --muted: #566070; --line: #dde2e9; --track: #edf0f4;
  --base: #6b7280; --sft: #0b63c5; --noisy: #b9480a;
  --step-1: #eef1f5; --step-2: #d5e8f7; --step-3: #b3d7f2; --step-4: #fbe3a8; --step-5: #fbc98a; --step-6: #f7a978;
  color-scheme: light;`;
const DARK = `
  --page: #12161c; --card: #1a2029; --text: #e6eaf0; --muted: #a1adbd; --line: #2f3946; --track: #262e39;
  --base: #a8b1be; --sft: #6db3ff; --noisy: #ff9f5a;
  --step-1: #27303b; --step-2: #1d3f5e; --step-3: #1f5482; --step-4: #5c4a14; --step-5: #7a4a12; --step-6: #8f3f1a;
  color-scheme: dark;`;

export const STYLE = `
:root {${LIGHT}
}
@media (prefers-color-scheme: dark) { :root {${DARK}
} }
* { box-sizing: border-box; }
body {
  margin: 0; padding: 1.5rem 1rem 3rem; background: var(--page); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
main { max-width: 62rem; margin: 0 auto; }
h1 { margin: 0 0 .25rem; font-size: 1.75rem; line-height: 1.2; }
h2 { margin: 0 0 .25rem; font-size: 1.2rem; }
h3 { margin: 1.25rem 0 .5rem; font-size: 1rem; }
p { margin: 0 0 .75rem; max-width: 46rem; }
.note { margin-top: .75rem; }
.hint, .note { color: var(--muted); font-size: .9rem; }
section { margin-top: 1.25rem; padding: 1.1rem 1.25rem 1.25rem; background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
.highlights { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .75rem; margin: 1.25rem 0 0; }
.highlights div { padding: .9rem 1.1rem; background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
.highlights dd { margin: 0; }
.highlights .value { font-size: 1.7rem; font-weight: 650; line-height: 1.15; font-variant-numeric: tabular-nums; }
.highlights dt { font-weight: 600; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { padding: .4rem .7rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { padding-left: 0; }
th { color: var(--muted); font-weight: 600; vertical-align: bottom; }
thead th { white-space: normal; }
.words { text-align: left; }
tbody tr:last-child td { border-bottom: 0; }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; margin: 0 0 .6rem; padding: 0; list-style: none; font-size: .9rem; }
.swatch { display: inline-block; width: .85em; height: .85em; margin-right: .4em; border-radius: 3px; vertical-align: -.05em; }
.base { background: var(--base); } .sft { background: var(--sft); } .noisy { background: var(--noisy); }
.bars { display: grid; grid-template-columns: max-content 1fr; gap: .2rem .75rem; align-items: center; font-size: .9rem; }
.bars .group { grid-row: span var(--series); align-self: center; color: var(--muted); }
.bars .bar { display: flex; align-items: center; gap: .5rem; grid-column: 2; font-variant-numeric: tabular-nums; }
.bars .track { flex: 1; height: .8rem; background: var(--track); border-radius: 3px; overflow: hidden; }
.bars .fill { display: block; height: 100%; min-width: 1px; border-radius: 3px; }
.bars .number { width: 4.2em; text-align: right; }
.bars .gap { grid-column: 1 / -1; height: .35rem; }
.chart { position: relative; min-height: 300px; }
.prompt { white-space: pre-wrap; overflow-wrap: anywhere; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 17rem), 1fr)); gap: 1rem; }
.columns h4 { margin: 0; font-size: .95rem; }
pre.text { margin: .4rem 0 0; padding: .7rem; border: 1px solid var(--line); border-radius: 8px; white-space: pre-wrap;
  overflow-wrap: anywhere; font: .85rem/1.9 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
pre.text span { padding: .12em .1em; border-radius: 4px; box-decoration-break: clone; -webkit-box-decoration-break: clone;
  outline: 1px solid var(--card); }
.step-1 { background: var(--step-1); } .step-2 { background: var(--step-2); } .step-3 { background: var(--step-3); }
.step-4 { background: var(--step-4); } .step-5 { background: var(--step-5); } .step-6 { background: var(--step-6); }
.details { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 18rem), 1fr)); gap: 0 2rem; }
.details dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: 0; font-size: .9rem; }
.details dt { color: var(--muted); } .details dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 34rem) { body { padding: 1rem .6rem 2rem; } section { padding: .9rem .8rem 1rem; } h1 { font-size: 1.4rem; } }
@media print { body { background: #fff; } section { break-inside: avoid; } }
`;
