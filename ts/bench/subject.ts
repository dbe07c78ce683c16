/** The model that is measured: a folder's, or one with random weights in a named or given shape. */
import { readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { MakeSomeNoiseError } from '../errors';
import { createModel, loadModel, type DeviceOptions, type Model, type ModelConfigInput } from '../model';
import type { SubjectDescription } from './report';
import type { BenchSettings } from './settings';
import { shapeNamed } from './shapes';

export interface Subject {
  readonly model: Model;
  readonly name: string;
  readonly weights: SubjectDescription['weights'];
}

/** Throws ERR_INVALID_ARGUMENT unless exactly one of model, shape and config is given. */
export async function openSubject(settings: BenchSettings): Promise<Subject> {
  const { model: folder, shape, config, dtype, threads, seed, signal } = settings;
  const device = settings.device as DeviceOptions['device'];
  if ([folder, shape, config].filter((given) => given !== undefined).length !== 1) {
    throw new MakeSomeNoiseError(
      'ERR_INVALID_ARGUMENT',
      'model: expected exactly one of a model folder, a shape and a config to measure',
    );
  }
  if (folder !== undefined) {
    const model = await loadModel(folder, { device, dtype, threads, signal });
    return { model, name: basename(resolve(folder)), weights: 'loaded' };
  }
  const created = await createModel(shape === undefined ? readConfigFile(config!) : shapeNamed(shape), {
    device,
    dtype,
    threads,
    seed,
    signal,
  });
  return { model: created, name: shape ?? basename(config!), weights: 'random' };
}

function readConfigFile(path: string): ModelConfigInput {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as ModelConfigInput;
  } catch (cause) {
    const { message } = cause as Error;
    throw new MakeSomeNoiseError('ERR_INVALID_ARGUMENT', `config: cannot read ${path}: ${message}`, {
      cause,
    });
  }
}
