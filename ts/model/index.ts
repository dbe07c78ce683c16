/** Models: made from a folder or from scratch, described, saved. */
export { createModel, type CreateOptions } from './create';
export type { ModelConfigInput } from './config-input';
export { loadModel, type LoadOptions, type LoadProgress } from './load';
export { Model, type ModelInfo } from './model';
export type { DeviceOptions, ModelDtype } from './device-options';
export type { SaveOptions } from './save';
export type { ChatMessage } from './chat-template';
export { Tokenizer, type SpecialToken } from './tokenizer';
