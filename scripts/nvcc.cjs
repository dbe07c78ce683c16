'use strict';
// NVIDIA's compiler, where this machine has it.
const { spawnSync } = require('node:child_process');
const path = require('node:path');

/** The first nvcc that runs, of CUDACXX, PATH and the usual folders; undefined when there is none. */
function findNvcc() {
  const folders = [process.env.CUDA_HOME, process.env.CUDA_PATH, '/usr/local/cuda', '/opt/cuda']
    .filter(Boolean)
    .map((folder) => path.join(folder, 'bin', 'nvcc'));
  const candidates = [process.env.CUDACXX, 'nvcc', ...folders].filter(Boolean);
  return candidates.find((nvcc) => spawnSync(nvcc, ['--version']).status === 0);
}

module.exports = { findNvcc };
