/**
 * makesomenoise: noisy fine-tuning and TR-Jacobi decoding of Llama-family models.
 *
 * @packageDocumentation
 */
export { denoise, type DenoiseOptions, type DenoiseResult } from './denoise';
export { devices, type DeviceInfo } from './devices';
export { MakeSomeNoiseError, type ErrorCode } from './errors';
export * from './generate';
export * from './model';
export { score, type ScoreOptions, type ScoreResult } from './score';
export * from './train';
