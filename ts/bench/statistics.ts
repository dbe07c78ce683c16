/** Median and spread of repeated timings: the numbers a table shows and a comparison trusts. */

/** Order statistics of one measurement, in its own unit. */
export interface Spread {
  readonly samples: number;
  readonly min: number;
  readonly lowerQuartile: number;
  readonly median: number;
  readonly upperQuartile: number;
  readonly max: number;
}

/**
 * The value below which `fraction` of the samples lie, interpolated linearly between neighbours (Hyndman and Fan's
 * type 7, what NumPy and R use by default).
 */
export function quantile(ascending: readonly number[], fraction: number): number {
  if (ascending.length === 0) throw new RangeError('quantile: expected at least one sample');
  const place = (ascending.length - 1) * fraction;
  const below = Math.floor(place);
  const low = ascending[below]!;
  const high = ascending[Math.min(below + 1, ascending.length - 1)]!;
  return low + (high - low) * (place - below);
}

export function spreadOf(samples: Iterable<number>): Spread {
  const ascending = [...samples].sort((a, b) => a - b);
  if (!ascending.every(Number.isFinite)) throw new RangeError('spreadOf: expected finite samples');
  return {
    samples: ascending.length,
    min: quantile(ascending, 0),
    lowerQuartile: quantile(ascending, 0.25),
    median: quantile(ascending, 0.5),
    upperQuartile: quantile(ascending, 0.75),
    max: quantile(ascending, 1),
  };
}
