/** What this machine could compute on. */
import { loadNative } from './native/load';

/** A processor or an accelerator. */
export interface DeviceInfo {
  /** 'cpu', 'cuda:0'. */
  readonly kind: string;
  /** As its maker calls it. */
  readonly name: string;
  /** Instruction set that is used: 'generic', 'avx2', 'avx512'; '' where that says nothing. */
  readonly instructions: string;
  /** Threads that compute. */
  readonly threads: number;
  /** Its memory, in bytes. */
  readonly memoryBytes: number;
  /** Why `device: 'auto'` chose it, or why it cannot be had. */
  readonly reason: string;
}

/**
 * Every device that this machine could run on, with the reason where one cannot be had.
 *
 * @throws MakeSomeNoiseError ERR_UNSUPPORTED where the package has no native build for this platform
 * @example
 * for (const device of devices()) console.log(device.kind, device.available, device.reason);
 */
export function devices(): Array<DeviceInfo & { readonly available: boolean }> {
  return loadNative().devices();
}
