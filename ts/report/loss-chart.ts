/** The loss curves, drawn by uPlot, whose code is put into the page. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { legend } from './bars';
import { scriptJson } from './html';
import type { LossCurve, SeriesRole } from './report';

/** Weight of a new loss in the running mean that is drawn. */
const SMOOTHING = 0.08;

interface ChartSeries {
  name: string;
  role: SeriesRole;
  kind: 'training' | 'evaluation';
  /** One value a position of `x`, null where there is none. */
  values: Array<number | null>;
}

/** uPlot's aligned data: one x for all series. */
export interface LossChartData {
  x: number[];
  series: ChartSeries[];
}

export function lossChartData(curves: readonly LossCurve[]): LossChartData {
  const x = [...new Set(curves.flatMap(({ steps, evaluatedAt }) => [...steps, ...evaluatedAt]))].sort(
    (a, b) => a - b,
  );
  const align = (steps: readonly number[], losses: readonly number[]): Array<number | null> => {
    const bySteps = new Map(steps.map((step, index) => [step, losses[index] ?? null]));
    return x.map((step) => bySteps.get(step) ?? null);
  };
  const series = curves.flatMap((curve): ChartSeries[] => [
    {
      name: curve.name,
      role: curve.role,
      kind: 'training',
      values: align(curve.steps, smooth(curve.losses)),
    },
    {
      name: `${curve.name}, held out`,
      role: curve.role,
      kind: 'evaluation',
      values: align(curve.evaluatedAt, curve.evaluationLosses),
    },
  ]);
  return { x, series: series.filter(({ values }) => values.some((value) => value !== null)) };
}

/** Running mean from the front, so that the noise of single batches does not hide the course. */
function smooth(losses: readonly number[]): number[] {
  let mean = losses[0] ?? 0;
  return losses.map((loss) => {
    mean += SMOOTHING * (loss - mean);
    return round(mean);
  });
}

/** Six significant digits are more than a chart shows. */
function round(value: number): number {
  return Number(value.toPrecision(6));
}

export function lossChart(curves: readonly LossCurve[]): string {
  return `${legend(curves)}<div class="chart" id="loss-chart"></div>
<noscript><p class="note">The chart needs JavaScript; it is in this file.</p></noscript>`;
}

/** Style and scripts that `lossChart` needs. */
export function lossChartAssets(curves: readonly LossCurve[]): { style: string; script: string } {
  const folder = dirname(require.resolve('uplot'));
  const library = readFileSync(join(folder, 'uPlot.iife.min.js'), 'utf8');
  if (/<\/script/i.test(library)) throw new Error('uPlot cannot be put into a script element');
  return {
    style: readFileSync(join(folder, 'uPlot.min.css'), 'utf8'),
    script: `<script>${library}</script><script>const lossData = ${scriptJson(lossChartData(curves))};${DRAW}</script>`,
  };
}

/** Draws in the colours of the style sheet, anew when the width or the colour scheme changes. */
const DRAW = `
(() => {
  const element = document.getElementById('loss-chart');
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  let chart;
  const format = (value) => value == null ? '' : value.toPrecision(3);
  const draw = () => {
    chart?.destroy();
    const axis = { stroke: color('--muted'), grid: { stroke: color('--line'), width: 1 }, ticks: { stroke: color('--line'), width: 1 } };
    chart = new uPlot({
      width: element.clientWidth, height: 300,
      scales: { x: { time: false }, y: { distr: 3 } },
      axes: [
        { ...axis, label: 'optimizer step', labelSize: 22 },
        { ...axis, label: 'loss (nats, log)', labelSize: 22, size: 56, values: (_, ticks) => ticks.map((tick) => tick == null ? '' : String(Number(tick.toPrecision(2)))) },
      ],
      legend: { show: false },
      series: [{ label: 'step' }, ...lossData.series.map(({ name, role, kind }) => kind === 'training'
        ? { label: name, stroke: color('--' + role), width: 2, value: (_, value) => format(value), spanGaps: true, points: { show: false } }
        : { label: name, stroke: color('--' + role), value: (_, value) => format(value), paths: () => null,
            points: { show: true, size: 9, width: 2, stroke: color('--' + role), fill: color('--card') } })],
    }, [lossData.x, ...lossData.series.map(({ values }) => values)], element);
  };
  draw();
  addEventListener('resize', () => chart.setSize({ width: element.clientWidth, height: 300 }));
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
})();`;
