'use strict';
// Before all tests but those of jest.cuda.config.cjs: they hold the CPU engine to the bit and see a machine without a
// CUDA device, whatever this one has. The module is looked for once a process, so tests of modules have children.
module.exports = () => {
  process.env.MSN_CUDA_SHIM = '0';
  process.env.MSN_CUDA_MODULE = '/nowhere/libmakesomenoise_cuda.so';
};
