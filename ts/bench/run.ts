/** Runs the suites of `msn bench` on one model and gathers the report. */
import { validate } from '../validate';
import { describeMachine } from './machine';
import type { BenchReport, Measurement, SuiteName } from './report';
import { benchOptions, type BenchOptions, type BenchSettings } from './settings';
import { openSubject, type Subject } from './subject';
import { decodeSuite } from './suites/decode';
import { generateSuite } from './suites/generate';
import { prefillSuite } from './suites/prefill';
import type { Suite } from './suites/suite';
import { trainSuite } from './suites/train';
import { verifySuite } from './suites/verify';

const suites: Readonly<Record<SuiteName, Suite>> = {
  decode: decodeSuite,
  verify: verifySuite,
  prefill: prefillSuite,
  train: trainSuite,
  generate: generateSuite,
};

/**
 * Measures a model folder, or random weights in a named shape or in that of a config.json.
 *
 * @throws ERR_INVALID_ARGUMENT for wrong options; what `loadModel` and `createModel` throw; ERR_ABORTED
 */
export async function runBench(options: BenchOptions): Promise<BenchReport> {
  const settings = validate(benchOptions, options);
  settings.onProgress?.('loading the model');
  const subject = await openSubject(settings);
  await using model = subject.model;
  const measurements: Measurement[] = [];
  const failures: string[] = [];
  for (const name of settings.suites) {
    const result = await suites[name]({ model, settings });
    measurements.push(...result.measurements);
    failures.push(...result.failures);
  }
  return {
    format: 'makesomenoise-bench-1',
    machine: describeMachine(),
    subject: describeSubject(subject),
    settings: describeSettings(settings),
    measurements,
    failures,
  };
}

function describeSubject({ model, name, weights }: Subject): BenchReport['subject'] {
  const { parameters, dtype, device, engine } = model.info;
  const { instructions, threads } = engine;
  return { name, weights, parameters, dtype, device, instructions, threads };
}

/** What a reader needs to repeat the run. */
function describeSettings(settings: BenchSettings): BenchReport['settings'] {
  const { repeats, promptTokens, newTokens, seed } = settings;
  return { repeats, promptTokens, newTokens, seed };
}
