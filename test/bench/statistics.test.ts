import fc from 'fast-check';
import { quantile, spreadOf } from '../../ts/bench/statistics';

describe('spreadOf', () => {
  it('gives the order statistics that NumPy gives', () => {
    // numpy.percentile([7, 1, 3, 10], [0, 25, 50, 75, 100])
    expect(spreadOf([7, 1, 3, 10])).toEqual({
      samples: 4,
      min: 1,
      lowerQuartile: 2.5,
      median: 5,
      upperQuartile: 7.75,
      max: 10,
    });
  });

  it('is one number when there is one sample', () => {
    expect(spreadOf(Float64Array.of(3))).toEqual({
      samples: 1,
      min: 3,
      lowerQuartile: 3,
      median: 3,
      upperQuartile: 3,
      max: 3,
    });
  });

  it('is ordered and independent of the order of the samples', () => {
    const samples = fc.array(fc.double({ min: 1e-3, max: 1e6, noNaN: true }), {
      minLength: 1,
      maxLength: 40,
    });
    fc.assert(
      fc.property(samples, (values) => {
        const spread = spreadOf(values);
        const ordered = [spread.min, spread.lowerQuartile, spread.median, spread.upperQuartile, spread.max];
        expect([...ordered].sort((a, b) => a - b)).toEqual(ordered);
        expect(spreadOf([...values].reverse())).toEqual(spread);
        expect(spread.min).toBe(Math.min(...values));
        expect(spread.max).toBe(Math.max(...values));
      }),
    );
  });

  it('refuses no samples and values that are not numbers', () => {
    expect(() => spreadOf([])).toThrow(RangeError);
    expect(() => spreadOf([1, NaN])).toThrow('spreadOf: expected finite samples');
    expect(() => quantile([], 0.5)).toThrow('quantile: expected at least one sample');
  });
});
