/**
 * The tests of the CUDA engine as a whole run where a CUDA device is: on a machine with a GPU, or anywhere on the host
 * shim (npm run build:shim; MSN_CUDA_SHIM=1 npx jest test/cuda). Elsewhere they skip visibly.
 */
import { loadNative } from '../../ts/native/load';
import { hasShared } from './testing';

const hasDevice = loadNative()
  .devices()
  .some(({ kind, available }) => kind.startsWith('cuda') && available);

export const describeCuda = hasDevice ? describe : describe.skip;
/** For tests that need ../shared, too. */
export const describeCudaShared = hasDevice && hasShared ? describe : describe.skip;
