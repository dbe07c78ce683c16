/** The options that say where and in what a model computes, shared by everything that makes one. */
import type { NativeDeviceOptions, NativeDtypeRequest } from '../native/contract';
import { deviceName, oneOf, threadCount } from '../validate';

/** Where and in what a model computes. */
export interface DeviceOptions {
  /**
   * 'auto' (default: the best there is), 'cpu', 'cuda' or 'cuda:1'. A named device is never replaced by another: where
   * it cannot be had, ERR_DEVICE says why.
   */
  device?: 'auto' | 'cpu' | 'cuda' | `cuda:${number}` | undefined;
  /** Threads of the CPU engine; 'auto' (default) is one per physical core. Results do not depend on it. */
  threads?: 'auto' | number | undefined;
}

/**
 * What weights are computed in. Sums are f32 always. 'auto': on the CPU as they are stored ('f32' for F16), on CUDA
 * 'bf16'. 'int8' (one scale a row) is for CUDA alone and 'f32' for the CPU alone.
 */
export type ModelDtype = 'auto' | 'f32' | 'bf16' | 'int8';

export const deviceFields = {
  device: deviceName().default('auto'),
  threads: threadCount().default('auto'),
};

export const dtypeField = () => oneOf(['auto', 'f32', 'bf16', 'int8']).default('auto');

/** `stored`: how the weights lie in their files, which decides on the CPU. */
export function nativeDtype(wanted: ModelDtype, stored: 'f32' | 'bf16'): NativeDtypeRequest {
  return wanted === 'auto' ? `stored-${stored}` : wanted;
}

export function nativeDevice(given: { device: string; threads: 'auto' | number }): NativeDeviceOptions {
  return {
    device: given.device,
    threads: given.threads === 'auto' ? 0 : given.threads,
    instructions: '',
  };
}
