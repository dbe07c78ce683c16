// The CUDA engine as a whole, in processes of their own because the CUDA module is chosen once per process: on the host
// shim of `npm run build:shim`, or with MSN_CUDA_SHIM=0 on this machine's GPU.
process.env.MSN_CUDA_SHIM ??= '1';

/** @type {import('jest').Config} */
module.exports = {
  ...require('./jest.config.cjs'),
  roots: ['<rootDir>/test/cuda'],
  globalSetup: null,
  testPathIgnorePatterns: ['/node_modules/'],
};
