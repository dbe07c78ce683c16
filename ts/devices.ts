/** What this machine could compute on. */
import { loadNative } from './native/load';

/** A processor or an accelerator. */
export interface DeviceInfo {
  /** 'cpu', 'cuda:0'. */
  readonly kind: string;
  /** As its maker calls it. */
  readonly name: string;
  /** CPU: instruction set that is used, 'generic', 'avx2' or 'avx512'; else ''. */
  readonly instructions: string;
  /** CUDA: compute capability, '9.0'; else ''. */
  readonly computeCapability: string;
  /** CUDA: whether kernels run on the host shim, a slow stand-in for a GPU that the tests use. */
  readonly shim: boolean;
  /** CUDA: the library that large matrix products use, or why there is none and the package's own kernels do; else ''. */
  readonly library: string;
  /** Threads of the host: they compute on the CPU and load weights on CUDA; 0 for a CUDA device not in use. */
  readonly threads: number;
  /** Its memory, in bytes. */
  readonly memoryBytes: number;
  /** CUDA: memory that was free when it was asked, in bytes; else 0. */
  readonly freeBytes: number;
  /** Why `device: 'auto'` chose it, or why it cannot be had. */
  readonly reason: string;
}

/**
 * Every device of this machine: the CPU, then each CUDA device, or one entry 'cuda' that says why there is none.
 *
 * @throws MakeSomeNoiseError ERR_UNSUPPORTED where the package has no native build for this platform
 * @example
 * for (const device of devices()) console.log(device.kind, device.available, device.reason);
 */
export function devices(): Array<DeviceInfo & { readonly available: boolean }> {
  return loadNative().devices();
}
