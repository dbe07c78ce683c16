/**
 * The tests of the CUDA engine as a whole run where a CUDA device is: on a machine with a GPU, or anywhere on the host
 * shim (npm run test:cuda). Elsewhere they skip visibly.
 */
import { loadNative } from '../../ts/native/load';
import { hasShared } from './testing';

const hasDevice = loadNative()
  .devices()
  .some(({ kind, available }) => kind.startsWith('cuda') && available);

export const describeCuda = hasDevice ? describe : describe.skip;
/** For tests that need ../shared, too. */
export const describeCudaShared = hasDevice && hasShared ? describe : describe.skip;
