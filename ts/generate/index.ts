/** Generation: `generate` and the types that its users name. */
export type { DecodingOptions, DraftTreeOption } from './decoding';
export { generate, type GenerateOptions } from './generate';
export { Generation, type GenerationChunk, type GenerationResult } from './generation';
export type { Prompt } from './prompt';
export type { SamplingOptions } from './sampling';
export type { DraftSources, GenerationStatistics } from './statistics';
