/** Gradients by central differences of a float64 forward pass: the truth for every backward operation. */
import { randomNumbers } from './operations';

export type Inputs = Record<string, Float64Array>;
/** The scalar whose gradient a test asks for: the sum of outputs weighed with their gradients. */
export type Objective = (inputs: Inputs) => number;

export const float64 = (values: ArrayLike<number>): Float64Array => Float64Array.from(values);

export function weighedSum(values: ArrayLike<number>, weights: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; ++i) sum += values[i]! * weights[i]!;
  return sum;
}

function derivative(objective: Objective, inputs: Inputs, name: string, index: number): number {
  const step = 1e-5;
  const values = inputs[name]!;
  const before = values[index]!;
  values[index] = before + step;
  const above = objective(inputs);
  values[index] = before - step;
  const below = objective(inputs);
  values[index] = before;
  return (above - below) / (2 * step);
}

/**
 * A check of received gradients against the difference quotients of their inputs, at up to `samples` elements of
 * each, within `tolerance` of the largest quotient seen in that input (at least 0.01). The quotients are computed
 * once, for all engines.
 */
export function gradientCheck(
  objective: Objective,
  inputs: Inputs,
  { samples = 60, tolerance = 2e-5 } = {},
): (received: Record<string, ArrayLike<number>>) => void {
  const next = randomNumbers(1);
  const quotients = new Map<string, Map<number, number>>();
  const quotientsOf = (name: string): Map<number, number> => {
    const length = inputs[name]!.length;
    const indices =
      length <= samples
        ? Array.from({ length }, (_, index) => index)
        : Array.from({ length: samples }, () => Math.floor(((next() + 1) / 2) * length));
    return new Map(indices.map((index) => [index, derivative(objective, inputs, name, index)]));
  };
  return (received) => {
    for (const [name, gradient] of Object.entries(received)) {
      expect(gradient.length).toBe(inputs[name]!.length);
      const expected = quotients.get(name) ?? quotientsOf(name);
      quotients.set(name, expected);
      const largest = Math.max(0.01, ...[...expected.values()].map(Math.abs));
      for (const [index, value] of expected)
        if (!(Math.abs(gradient[index]! - value) <= tolerance * largest))
          throw new Error(`gradient of ${name}[${index}]: expected ${value}, received ${gradient[index]}`);
    }
  };
}
